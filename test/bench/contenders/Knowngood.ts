/** This SDK, over the `HttpClient` that it is given. */
import type { HttpClient } from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Anthropic, type Chat as Knowngood, OpenAiCompatible, Provider } from "knowngood"
import type { Connect } from "../Contender.js"
import * as Chat from "./Chat.js"

const request: Knowngood.Request = { messages: Chat.chat.messages }

/** How the events of a stream are got. */
export type Follow = "stream" | "listen" | "iterate"

const connect =
  (
    follow: Follow,
    client: Layer.Layer<HttpClient>,
    provider: (root: string) => Layer.Layer<Provider.Provider, never, HttpClient>
  ) =>
  (root: string): ReturnType<Connect> => {
    const runtime = ManagedRuntime.make(Layer.provide(provider(root), client))
    const streams = {
      stream: (onText: (text: string) => void) =>
        runtime.runPromise(
          Stream.runForEach(Provider.stream(request), (event) => Effect.sync(() => tell(event, onText)))
        ),
      listen: (onText: (text: string) => void) =>
        runtime.runPromise(Provider.listen(request, (event) => tell(event, onText))),
      iterate: async (onText: (text: string) => void) => {
        for await (const event of Provider.iterate(runtime.runPromise, request)) tell(event, onText)
      }
    }
    return {
      complete: () => runtime.runPromise(Effect.map(Provider.complete(request), (reply) => reply.text)),
      stream: streams[follow]
    }
  }

const tell = (event: Knowngood.Event, onText: (text: string) => void): void => {
  if (event._tag === "TextDelta") onText(event.text)
}

export const over = (follow: Follow, client: Layer.Layer<HttpClient>, policy?: Provider.Options["policy"]) => {
  const options = { apiKey: Redacted.make(Chat.key), model: Chat.model, policy }
  return {
    chat: connect(follow, client, (root) =>
      OpenAiCompatible.layer({ ...options, id: "bench", baseUrl: `${root}/v1` })
    ) satisfies Connect,
    messages: connect(follow, client, (root) => Anthropic.layer({ ...options, baseUrl: root })) satisfies Connect
  }
}
