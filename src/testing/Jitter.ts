/**
 * Chance, taken out of a test. Effect's test context has a clock that a test moves, but no `Random` of its own: without
 * this, a backoff is up to 249 milliseconds longer than it has to be, and nobody knows by how much.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"

const least: Random.Random = {
  [Random.RandomTypeId]: Random.RandomTypeId,
  next: Effect.succeed(0.5),
  nextBoolean: Effect.succeed(false),
  nextInt: Effect.succeed(0),
  nextRange: (min, max) => Effect.succeed((min + max) / 2),
  nextIntBetween: (min) => Effect.succeed(min),
  shuffle: (elements) => Effect.sync(() => Chunk.fromIterable(elements))
}

/**
 * No jitter: under `TestClock`, the retries of a provider come after exactly 500 ms, 1 s, 2 s, 4 s, 8 s and 15 s, and
 * `Schedule.jittered` waits as if it were not there.
 *
 * It pins all of `Random`, in whatever it is provided to: whole numbers are the least, other numbers the middle, and
 * `shuffle` changes nothing. A program that makes ids with `Random` gets the same one each time.
 *
 * @example
 * import { it } from "@effect/vitest"
 * import { Effect, Fiber, Layer, Redacted, TestClock } from "effect"
 * import { Chat, MiMo, Provider } from "knowngood"
 * import { Gateway, Jitter } from "knowngood/testing"
 *
 * const gateway = Gateway.layer([Gateway.refused(503), Gateway.reply("Hello")])
 * const provider = MiMo.layer({ apiKey: Redacted.make("a-key-for-tests") })
 *
 * it.effect("the second request comes after 500 ms", () =>
 *   Effect.gen(function* () {
 *     const call = yield* Effect.fork(Provider.complete({ messages: [Chat.user("Hi")] }))
 *     yield* TestClock.adjust("500 millis")
 *     yield* Fiber.join(call)
 *   }).pipe(Effect.provide(Layer.provide(provider, gateway)), Effect.provide(Jitter.none))
 * )
 */
export const none: Layer.Layer<never> = Layer.setRandom(least)
