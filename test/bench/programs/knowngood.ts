import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Chat, OpenAiCompatible, Provider } from "knowngood"

const [, , baseUrl = ""] = process.argv

Provider.stream({ messages: [Chat.user("Why is the sky blue?")] }).pipe(
  Chat.textOnly,
  Stream.runForEach((text) => Effect.sync(() => process.stdout.write(text))),
  Effect.provide(OpenAiCompatible.layer({ id: "bench", baseUrl, model: "bench-model", apiKey: Redacted.make("key") })),
  Effect.provide(FetchHttpClient.layer),
  Effect.runPromise
)
