import { FetchHttpClient } from "@effect/platform"
import { Effect, Stream } from "effect"
import { Chat, Explain, MiMo, Provider } from "knowngood"

const program = Provider.stream({ messages: [Chat.user("Why is the sky blue?")] }).pipe(
  Chat.textOnly,
  Stream.runForEach((text) => Effect.sync(() => process.stdout.write(text))),
  Effect.catchTags({
    AuthMissing: (e) => Effect.logError(Explain.explain(e).detail),
    AuthRejected: (e) => Effect.logError(Explain.explain(e).detail),
    Transient: (e) => Effect.logError(Explain.explain(e).detail)
  })
)

program.pipe(
  Effect.provide(MiMo.layerConfig({ region: "sgp", model: "mimo-v2.5-pro" })), // reads MIMO_API_KEY
  Effect.provide(FetchHttpClient.layer),
  Effect.runPromise
)
