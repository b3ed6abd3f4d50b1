import * as LanguageModel from "@effect/ai/LanguageModel"
import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

const [, , apiUrl = ""] = process.argv

LanguageModel.streamText({ prompt: "Why is the sky blue?" }).pipe(
  Stream.runForEach((part) =>
    Effect.sync(() => {
      if (part.type === "text-delta") process.stdout.write(part.delta)
    })
  ),
  Effect.provide(OpenAiLanguageModel.layer({ model: "bench-model" })),
  Effect.provide(OpenAiClient.layer({ apiKey: Redacted.make("key"), apiUrl })),
  Effect.provide(FetchHttpClient.layer),
  Effect.runPromise
)
