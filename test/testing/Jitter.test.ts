/** Without jitter every wait is exact under the test clock, and nothing has to be seeded by hand. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Layer, Random, Redacted, Schedule, TestClock } from "effect"
import { Anthropic, MiMo, Provider } from "../../src/index.js"
import { Gateway, Jitter } from "../../src/testing/index.js"
import { gaps, hello, patiently } from "../Wire.js"

const apiKey = Redacted.make("k-1")

const wires = [
  ["OpenAI's wire", MiMo.layer({ apiKey, region: "sgp" })],
  ["Anthropic's wire", Anthropic.layer({ apiKey, model: "m" })]
] as const

for (const [name, wire] of wires) {
  describe(`without jitter, on ${name}`, () => {
    const at = (script: Gateway.Script) => Layer.mergeAll(Layer.provideMerge(wire, Gateway.layer(script)), Jitter.none)

    it.effect("each backoff is twice the one before, up to 15 seconds", () =>
      Effect.gen(function* () {
        expect(yield* patiently(Effect.flip(Provider.complete(hello)))).toMatchObject({ attempts: 11 })
        expect(yield* gaps).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000, 15_000])
      }).pipe(Effect.provide(at(Gateway.overloaded())))
    )

    it.effect("a call is answered at its millisecond and not before", () =>
      Effect.gen(function* () {
        const call = yield* Effect.fork(Provider.complete(hello))
        yield* TestClock.adjust("1499 millis")
        expect(yield* Fiber.poll(call)).toMatchObject({ _tag: "None" })
        yield* TestClock.adjust("1 millis")
        expect((yield* Fiber.join(call)).text).toBe("Hi")
      }).pipe(Effect.provide(at([Gateway.refused(500), Gateway.refused(500), Gateway.reply("Hi")])))
    )

    it.effect("a known-good key is tried three times, and a server's wish is kept to the millisecond", () =>
      Effect.gen(function* () {
        yield* Provider.complete(hello)
        expect(yield* patiently(Effect.flip(Provider.complete(hello)))).toMatchObject({
          _tag: "AuthRejected",
          attempts: 3
        })
        expect((yield* patiently(Provider.complete(hello))).text).toBe("Hi")
        expect((yield* gaps).filter((gap) => gap > 0)).toEqual([500, 1000, expect.any(Number), 1500])
      }).pipe(
        Effect.provide(
          at([
            Gateway.reply("Hi"),
            ...[401, 401, 401].map((status) => Gateway.refused(status)),
            Gateway.rateLimited("1500 millis"),
            Gateway.reply("Hi")
          ])
        )
      )
    )
  })
}

describe("what Random says without jitter", () => {
  it.effect("the least of whole numbers, the middle of the others, the order as it is, each time", () =>
    Effect.gen(function* () {
      for (const _ of [1, 2]) {
        expect(yield* Random.nextIntBetween(3, 250)).toBe(3)
        expect(yield* Random.next).toBe(0.5)
        expect(yield* Random.nextRange(2, 4)).toBe(3)
        expect(yield* Random.nextInt).toBe(0)
        expect(yield* Random.nextBoolean).toBe(false)
        expect(Chunk.toReadonlyArray(yield* Random.shuffle([1, 2, 3]))).toEqual([1, 2, 3])
      }
    }).pipe(Effect.provide(Jitter.none))
  )

  it.effect("so that a program's own jittered schedule waits as if it were not", () =>
    Effect.gen(function* () {
      let runs = 0
      const schedule = Schedule.jittered(Schedule.spaced("1 second"))
      const fiber = yield* Effect.fork(
        Effect.repeat(
          Effect.sync(() => void runs++),
          schedule
        )
      )
      yield* TestClock.adjust("2999 millis")
      expect(runs).toBe(3)
      yield* TestClock.adjust("1 millis")
      expect(runs).toBe(4)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(Jitter.none))
  )

  it.effect("in what it is provided to, and nowhere else", () =>
    Effect.gen(function* () {
      yield* Effect.provide(Random.next, Jitter.none)
      const drawn = yield* Effect.replicateEffect(Random.nextIntBetween(0, 1_000_000), 5)
      expect(new Set(drawn).size).toBeGreaterThan(1)
    })
  )
})
