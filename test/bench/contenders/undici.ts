/** What one writes with good parts: `undici.request` and `eventsource-parser`. */
import { createParser } from "eventsource-parser"
import { request } from "undici"
import type { Connect } from "../Contender.js"
import * as Chat from "./Chat.js"
import * as Spoken from "./Spoken.js"

interface Api<Event, Whole> {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: object
  readonly piece: (json: Event) => string | undefined
  readonly reply: (json: Whole) => string
}

const connect =
  <Event, Whole>(api: Api<Event, Whole>): Connect =>
  (root) => {
    const post = (body: object) =>
      request(root + api.path, { method: "POST", headers: api.headers, body: JSON.stringify(body) })
    return {
      complete: async () => api.reply((await (await post(api.body)).body.json()) as Whole),
      stream: async (onText) => {
        const { body } = await post({ ...api.body, stream: true })
        const decoder = new TextDecoder()
        const parser = createParser({
          onEvent: ({ data }) => {
            if (data === "[DONE]") return
            const text = api.piece(JSON.parse(data) as Event)
            if (text) onText(text)
          }
        })
        for await (const bytes of body) parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }))
      }
    }
  }

export const chat = connect({
  path: "/v1/chat/completions",
  headers: Chat.bearer,
  body: Chat.chat,
  piece: Spoken.chatPiece,
  reply: Spoken.chatReply
})

export const messages = connect({
  path: "/v1/messages",
  headers: Chat.anthropic,
  body: Chat.messages,
  piece: Spoken.messagesPiece,
  reply: Spoken.messagesReply
})
