/** `@effect/ai`, over the `HttpClient` that it is given. */
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as AnthropicClient from "@effect/ai-anthropic/AnthropicClient"
import * as AnthropicLanguageModel from "@effect/ai-anthropic/AnthropicLanguageModel"
import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import type { HttpClient } from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Client, Connect } from "../Contender.js"
import * as Chat from "./Chat.js"

const apiKey = Redacted.make(Chat.key)

const client = (layer: Layer.Layer<LanguageModel.LanguageModel>): Client => {
  const runtime = ManagedRuntime.make(layer)
  return {
    complete: () =>
      runtime.runPromise(Effect.map(LanguageModel.generateText({ prompt: Chat.prompt }), (reply) => reply.text)),
    stream: (onText) =>
      runtime.runPromise(
        Stream.runFold(LanguageModel.streamText({ prompt: Chat.prompt }), 0, (count, part) => {
          if (part.type === "text-delta") onText(part.delta)
          return count + 1
        })
      )
  }
}

export const over = (http: Layer.Layer<HttpClient>) => {
  const responses: Connect = (root) =>
    client(
      OpenAiLanguageModel.layer({ model: Chat.model }).pipe(
        Layer.provide(OpenAiClient.layer({ apiKey, apiUrl: `${root}/v1` })),
        Layer.provide(http)
      )
    )
  const messages: Connect = (root) =>
    client(
      AnthropicLanguageModel.layer({ model: Chat.model, config: { max_tokens: Chat.maxTokens } }).pipe(
        Layer.provide(AnthropicClient.layer({ apiKey, apiUrl: root })),
        Layer.provide(http)
      )
    )
  return { responses, messages }
}
