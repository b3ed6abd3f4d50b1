/** No SDK: the same calls with Effect and its HTTP client alone. What is under this SDK costs at least this. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import type { Connect } from "../Contender.js"
import * as Chat from "./Chat.js"
import * as Spoken from "./Spoken.js"

export const over =
  (client: Layer.Layer<HttpClient.HttpClient>): Connect =>
  (root) => {
    const runtime = ManagedRuntime.make(client)
    const post = (body: object) =>
      HttpClientRequest.post(`${root}/v1/chat/completions`, { headers: Chat.bearer }).pipe(
        HttpClientRequest.bodyText(JSON.stringify(body), "application/json"),
        HttpClient.execute
      )
    const reply = Effect.flatMap(post(Chat.chat), (response) => response.text)
    const lines = Effect.map(post({ ...Chat.chat, stream: true }), (response) => response.stream).pipe(
      Stream.unwrapScoped,
      Stream.decodeText(),
      Stream.splitLines,
      Stream.filter((line) => line.startsWith("data: {"))
    )
    return {
      complete: async () => Spoken.chatReply(JSON.parse(await runtime.runPromise(reply))),
      stream: (onText) =>
        runtime.runPromise(
          Stream.runForEachChunk(lines, (chunk) =>
            Effect.sync(() => {
              for (const line of chunk) {
                const text = Spoken.chatPiece(JSON.parse(line.slice(6)))
                if (text) onText(text)
              }
            })
          )
        )
    }
  }
