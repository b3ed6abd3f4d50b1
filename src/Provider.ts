/**
 * `Provider`: some LLM. Its calls as accessors, which take the provider from the context, and the ways to make one.
 */
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Iteration from "./answer/Iteration.js"
import * as Opened from "./answer/Opened.js"
import type * as Chat from "./Chat.js"
import type * as Protocol from "./Protocol.js"
import type * as ProviderError from "./ProviderError.js"
import { type Completed, Provider } from "./Service.js"

export { layer as fallbackLayer, make as fallback } from "./Fallback.js"
export {
  type ConfigOptions,
  type Deployment,
  type Keyed,
  type KeyHosts,
  make as preset,
  type Options,
  type Preset
} from "./Preset.js"
export { type Completed, make, type Primitives, Provider, type Service } from "./Service.js"

/** What every call of a provider can fail with. */
export type Error = ProviderError.ProviderError

/**
 * The answer as it is written. It ends with `Finish` or fails; nothing is retried once an event has come out. What has
 * come between two pulls is one chunk.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Chat, Provider } from "knowngood"
 *
 * const program = Provider.stream({ messages: [Chat.user("Why is the sky blue?")] }).pipe(
 *   Chat.textOnly,
 *   Stream.runForEach((text) => Effect.sync(() => process.stdout.write(text)))
 * )
 */
export const stream = (request: Chat.Request): Stream.Stream<Chat.Event, Error, Provider> =>
  Stream.fromChannel(Channel.flatMap(Provider, (provider) => Stream.toChannel(provider.stream(request))))

/**
 * Streams, calls `onEvent` with each event as it comes, and gives the whole answer. This is the cheapest way to follow
 * one: no fiber is woken between its first event and its last. What `onEvent` throws is a defect.
 *
 * @example
 * import { Effect } from "effect"
 * import { Chat, Provider } from "knowngood"
 *
 * const program = Effect.gen(function* () {
 *   const request = { messages: [Chat.user("Why is the sky blue?")] }
 *   const reply = yield* Provider.listen(request, (event) => {
 *     if (event._tag === "TextDelta") process.stdout.write(event.text)
 *   })
 *   yield* Effect.log(reply.usage)
 * })
 */
export const listen = (
  request: Chat.Request,
  onEvent: (event: Chat.Event) => void
): Effect.Effect<Chat.Reply, Error, Provider> =>
  Effect.flatMap(Provider, (provider) => provider.listen(request, onEvent))

/**
 * The answer for a program without Effect. It throws the `ProviderError` itself; leaving the loop gives the answer up,
 * and so does disposing of the runtime. `run` is the runtime's own `runPromise`.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer, ManagedRuntime } from "effect"
 * import { Chat, MiMo, Provider } from "knowngood"
 *
 * const runtime = ManagedRuntime.make(Layer.provide(MiMo.layerConfig({ region: "sgp" }), FetchHttpClient.layer))
 *
 * const answer = async (question: string) => {
 *   for await (const event of Provider.iterate(runtime.runPromise, { messages: [Chat.user(question)] })) {
 *     if (event._tag === "TextDelta") process.stdout.write(event.text)
 *   }
 * }
 */
export const iterate = (
  run: Iteration.RunPromise<Provider>,
  request: Chat.Request
): AsyncGenerator<Chat.Event, void, undefined> =>
  Iteration.make(
    run,
    Opened.opening((scope) => Effect.flatMap(Provider, (provider) => Opened.within(provider.open(request), scope)))
  )

/**
 * The whole answer. The presets ask for it without streaming, so nothing comes before all of it has.
 *
 * @example
 * import { Effect } from "effect"
 * import { Chat, Provider } from "knowngood"
 *
 * const program = Effect.gen(function* () {
 *   const question = Chat.user("Why is the sky blue?")
 *   const first = yield* Provider.complete({ messages: [question] })
 *   const messages = [question, first.message, Chat.user("And in the evening?")]
 *   const second = yield* Provider.complete({ messages, maxTokens: 200 })
 *   return second.text
 * })
 */
export const complete = (request: Chat.Request): Effect.Effect<Chat.Reply, Error, Provider> =>
  Effect.flatMap(Provider, (provider) => provider.complete(request))

/**
 * The whole answer as a value of the schema, and the reply that it was read from. The model is told the schema, unless
 * the request has an `output` of its own. An answer that does not fit is `InvalidResponse`, with its text in `partial`;
 * it is not asked for again. A schema of what JSON cannot hold is `InvalidRequest`, its `problem` `BadSchema`, and
 * nothing is sent.
 *
 * @example
 * import { Effect, Schema } from "effect"
 * import { Chat, Provider } from "knowngood"
 *
 * const City = Schema.Struct({ name: Schema.String, founded: Schema.Int })
 *
 * const program = Effect.gen(function* () {
 *   const { reply, value } = yield* Provider.completeObject(City, { messages: [Chat.user("The oldest city of Germany?")] })
 *   yield* Effect.log(`${value.name}, for ${reply.usage.totalTokens} tokens`)
 * })
 */
export const completeObject = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  request: Chat.Request
): Effect.Effect<Completed<A>, Error, R | Provider> =>
  Effect.flatMap(Provider, (provider) => provider.completeObject(schema, request))

/** What the provider lists, sorted by id. `InvalidRequest` with `NotOffered` where it has no list. */
export const models: Effect.Effect<ReadonlyArray<Protocol.Model>, Error, Provider> = Effect.flatMap(
  Provider,
  (provider) => provider.models
)

/** The cheapest real request that proves the key: a completion of 16 tokens at most. */
export const verify: Effect.Effect<void, Error, Provider> = Effect.flatMap(Provider, (provider) => provider.verify)
