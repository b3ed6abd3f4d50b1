/** The limit: the global `fetch`, and a split written by hand for exactly these bytes. */
import type { Connect } from "../Contender.js"
import * as Chat from "./Chat.js"
import * as Spoken from "./Spoken.js"

interface Api<Event, Whole> {
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: object
  readonly piece: (json: Event) => string | undefined
  readonly reply: (json: Whole) => string
}

const connect =
  <Event, Whole>(api: Api<Event, Whole>): Connect =>
  (root) => {
    const post = (body: string) => fetch(root + api.path, { method: "POST", headers: api.headers, body })
    return {
      complete: async () => api.reply((await (await post(JSON.stringify(api.body))).json()) as Whole),
      stream: async (onText) => {
        const reader = (await post(JSON.stringify({ ...api.body, stream: true }))).body?.getReader()
        if (reader === undefined) throw new Error("no body")
        const decoder = new TextDecoder()
        let rest = ""
        for (let read = await reader.read(); !read.done; read = await reader.read()) {
          rest += decoder.decode(read.value, { stream: true })
          let from = 0
          for (let to = rest.indexOf("\n\n"); to >= 0; to = rest.indexOf("\n\n", from)) {
            const data = rest.indexOf("data: ", from) + 6
            from = to + 2
            if (rest.startsWith("[DONE]", data)) continue
            const text = api.piece(JSON.parse(rest.slice(data, to)) as Event)
            if (text) onText(text)
          }
          rest = rest.slice(from)
        }
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

export const responses = connect({
  path: "/v1/responses",
  headers: Chat.bearer,
  body: Chat.responses,
  piece: Spoken.responsesPiece,
  reply: Spoken.responsesReply
})
