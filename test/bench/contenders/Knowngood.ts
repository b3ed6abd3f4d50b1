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

const connect =
  (client: Layer.Layer<HttpClient>, provider: (root: string) => Layer.Layer<Provider.Provider, never, HttpClient>) =>
  (root: string): ReturnType<Connect> => {
    const runtime = ManagedRuntime.make(Layer.provide(provider(root), client))
    return {
      complete: () => runtime.runPromise(Effect.map(Provider.complete(request), (reply) => reply.text)),
      stream: (onText) =>
        runtime.runPromise(
          Stream.runFold(Provider.stream(request), 0, (count, event) => {
            if (event._tag === "TextDelta") onText(event.text)
            return count + 1
          })
        )
    }
  }

export const over = (client: Layer.Layer<HttpClient>, policy?: Provider.Options["policy"]) => {
  const options = { apiKey: Redacted.make(Chat.key), model: Chat.model, policy }
  return {
    chat: connect(client, (root) =>
      OpenAiCompatible.layer({ ...options, id: "bench", baseUrl: `${root}/v1` })
    ) satisfies Connect,
    messages: connect(client, (root) => Anthropic.layer({ ...options, baseUrl: root })) satisfies Connect
  }
}
