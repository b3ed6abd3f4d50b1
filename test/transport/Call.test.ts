/** The laws of one call among others, through a provider at a scripted gateway, under the test clock. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Either, Exit, Fiber, Layer, Option, Random, Redacted, Ref, Stream, TestClock } from "effect"
import { MiMo, Provider, RetryObserver, RetryPolicy } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Effort from "../Effort.js"
import * as Spans from "../Spans.js"
import {
  accept,
  backoff,
  chunk,
  failed,
  hello,
  knownGood,
  mimo,
  patiently,
  plantedKey,
  refused,
  type Setup,
  streamed,
  times,
  whole
} from "../Wire.js"

const about = (text: string) => ({ messages: [{ role: "user", content: text }] }) as const
const ask = (text: string) => Provider.complete(about(text))
const isAbout = (text: string, { body }: Gateway.Recorded) => JSON.stringify(body).includes(text)

/** When requests about this came in. */
const askedFor = (text: string) =>
  Effect.map(Gateway.requests, (requests) => requests.filter((request) => isAbout(text, request)).map(({ at }) => at))
const asked = Effect.map(Gateway.requests, (requests) => requests.map(({ at }) => at))

/** The first request about this is answered so, all others well, each after 100 ms. */
const firstAbout = (text: string, answer: Gateway.Answer): Gateway.Script => {
  let done = false
  return (request) => {
    const meant = !done && isAbout(text, request)
    if (meant) done = true
    return Gateway.delay("100 millis", meant ? answer : whole)
  }
}

const told = (seconds: number) => failed(429, { "retry-after": String(seconds) })

/** An answer whose two halves come five minutes from each other. */
const long: Gateway.Answer = {
  ...streamed,
  body: streamed.body
    .flatMap((piece, i) => (i === 2 ? [": alive\n\n", piece] : [piece]))
    .map((piece) => (typeof piece === "string" ? { wait: "5 minutes" as const } : piece))
}

/** A call with the key has gone well; then all of these at once. */
const together = (calls: ReadonlyArray<Effect.Effect<unknown, Provider.Error, Provider.Provider>>) =>
  Effect.forEach(calls, (call) => Effect.fork(Effect.either(call)))

/** Nothing but time goes by. */
const pass = (millis: number) => TestClock.adjust(millis)

describe("a call made while a stream of the same key is read", () => {
  const sentences: Gateway.Script = (request, index) =>
    isAbout("translate", request) ? (index === 1 ? told(1) : whole) : streamed

  it.effect("goes again after a 429, though the stream waits for it", () =>
    Effect.gen(function* () {
      const story = Provider.stream(hello).pipe(
        Stream.mapEffect((event) => (event._tag === "TextDelta" ? ask("translate") : Effect.succeed(undefined))),
        Stream.runCollect
      )
      const reading = yield* Effect.fork(story)
      yield* pass(5000)
      expect((yield* Fiber.poll(reading))._tag).toBe("Some")
      expect((yield* askedFor("translate")).length).toBe(3)
    }).pipe(Effect.provide(mimo(sentences)))
  )

  it.effect("waits for no longer than the 429 says, though 20 streams of five minutes are open", () =>
    Effect.gen(function* () {
      yield* together(times(20, Stream.runDrain(Provider.stream(about("story")))))
      yield* pass(1000)
      yield* together([ask("told"), ...times(5, ask("later"))])
      yield* pass(10_000)
      expect(yield* askedFor("told")).toEqual([1000, 2000])
      expect((yield* askedFor("later")).filter((at) => at > 3000)).toEqual([])
    }).pipe(
      Effect.provide(
        mimo((request, index) => (isAbout("story", request) ? long : index === 20 ? told(1) : whole), {
          timeouts: { idle: "1 hour", stall: "1 hour" }
        })
      )
    )
  )

  it.effect("is sent with a concurrency of one, too, once the answer has come whole", () =>
    Effect.gen(function* () {
      const provider = yield* MiMo.make({ apiKey: Redacted.make("tp-s0000000000000000"), concurrency: 1 })
      const story = provider.stream(hello).pipe(
        Stream.rechunk(1),
        Stream.mapEffect(() => provider.complete(about("nested"))),
        Stream.runDrain
      )
      const reading = yield* Effect.fork(story)
      yield* pass(5000)
      expect((yield* Fiber.poll(reading))._tag).toBe("Some")
    }).pipe(Effect.provide(Gateway.layer((request) => (isAbout("nested", request) ? whole : streamed))))
  )
})

describe("streams in streams, three levels deep, each of which is refused once", () => {
  const refusals = [
    ["a 429 with a moment", told(1)],
    ["a 503", failed(503)],
    ["a 401 on a known-good key", refused()]
  ] as const
  for (const [name, answer] of refusals) {
    for (const concurrency of [undefined, 1, 2]) {
      it.effect(`${name}, concurrency ${concurrency}: they end`, () => {
        const seen = new Set<string>()
        const script: Gateway.Script = (request) => {
          const level = ["level 1", "level 2", "level 3"].find((level) => isAbout(level, request))
          if (level === undefined || seen.has(level)) return level === undefined ? whole : streamed
          seen.add(level)
          return answer
        }
        return Effect.gen(function* () {
          const provider = yield* MiMo.make({ apiKey: Redacted.make(plantedKey), concurrency })
          yield* provider.complete(hello)
          const nested = (level: number): Effect.Effect<void, Provider.Error> =>
            provider.stream(about(`level ${level}`)).pipe(
              Stream.rechunk(1),
              Stream.mapEffect(() => (level === 3 ? Effect.void : nested(level + 1))),
              Stream.runDrain
            )
          const reading = yield* Effect.fork(nested(1))
          for (let second = 0; second < 5; second++) yield* pass(1000)
          expect(yield* Fiber.poll(reading)).toEqual(Option.some(Exit.void))
        }).pipe(Effect.provide(Gateway.layer(script)))
      })
    }
  }
})

describe("a request that is always told to wait for 59 seconds", () => {
  it.effect("costs the others those 59 seconds once, not ten times", () =>
    Effect.gen(function* () {
      yield* accept
      yield* together([ask("poison")])
      yield* pass(1000)
      yield* together(times(5, ask("healthy")))
      for (let i = 0; i < 12; i++) yield* pass(59_000)
      const first = yield* askedFor("healthy")
      expect(first.length).toBe(5)
      expect(Math.max(...first)).toBeLessThanOrEqual(59_000 + 5000)
      // Nobody waits for it any more, though it is told to wait again and again.
      const before = yield* TestClock.currentTimeMillis
      yield* together([ask("late")])
      yield* pass(0)
      expect(yield* askedFor("late")).toEqual([before])
      expect((yield* askedFor("poison")).length).toBeGreaterThan(5)
    }).pipe(Effect.provide(mimo((request) => (isAbout("poison", request) ? told(59) : whole))))
  )
})

describe("a key that is revoked while 64 calls are made", () => {
  const revoked: Gateway.Script = (_, index) => Gateway.delay("20 millis", index === 0 ? whole : refused())

  it.effect("all are told within ten seconds, by few requests, and the key counts as never accepted", () =>
    Effect.gen(function* () {
      const warm = yield* Effect.fork(accept)
      yield* pass(20)
      yield* Fiber.join(warm)
      const fibers = yield* together(times(64, 0).map((_, i) => ask(`any ${i}.`)))
      for (let second = 0; second < 10; second++) yield* pass(1000)
      const outcomes = yield* Effect.forEach(fibers, Fiber.poll)
      expect(outcomes.filter(Option.isNone).length).toBe(0)
      // Each learns it by two requests; the three whose calls tell that the key is dead make one more.
      expect((yield* asked).length).toBeLessThan(1 + 64 * 2 + 16)
      expect(yield* knownGood).toBe(false)
    }).pipe(Effect.provide(mimo(revoked)))
  )

  const policies: ReadonlyArray<readonly [name: string, policy: RetryPolicy.RetryPolicy]> = [
    ["the standard policy", RetryPolicy.standard],
    ["no retry", () => RetryPolicy.none],
    ["four retries", (knownGood) => RetryPolicy.standard(knownGood, { authRetries: 4 })]
  ]
  const manners: ReadonlyArray<readonly [name: string, headers: Record<string, string>, seconds: number]> = [
    ["no word of when", {}, 16],
    ["Retry-After: 5", { "retry-after": "5" }, 65],
    ["x-should-retry: false", { "x-should-retry": "false" }, 1]
  ]
  for (const [manner, headers, seconds] of manners) {
    for (const [name, policy] of policies) {
      for (const callers of [1, 3, 64]) {
        it.effect(`${manner}, ${name}: ${callers} callers are told within ${seconds} seconds`, () =>
          Effect.gen(function* () {
            const warm = yield* Effect.fork(accept)
            yield* pass(20)
            yield* Fiber.join(warm)
            const fibers = yield* together(times(callers, ask("any")))
            for (let second = 0; second < seconds; second++) yield* pass(1000)
            const outcomes = yield* Effect.forEach(fibers, Fiber.poll)
            expect(outcomes.filter(Option.isNone).length).toBe(0)
          }).pipe(
            Effect.provide(
              mimo((_, index) => Gateway.delay("20 millis", index === 0 ? whole : refused(401, headers)), { policy })
            )
          )
        )
      }
    }
  }

  it.effect("calls that are refused together count as one, though the clock stands still", () =>
    Effect.gen(function* () {
      yield* accept
      yield* Effect.forEach(yield* together(times(64, ask("any"))), Fiber.join)
      expect(yield* knownGood).toBe(true)
    }).pipe(Effect.provide(mimo((_, index) => (index === 0 ? whole : refused()), { policy: () => RetryPolicy.none })))
  )

  it.effect("a burst of 40 and then 2 calls a second leave no line behind", () =>
    Effect.gen(function* () {
      const warm = yield* Effect.fork(accept)
      yield* pass(20)
      yield* Fiber.join(warm)
      const fibers = [...(yield* together(times(40, ask("any"))))]
      for (let i = 0; i < 60; i++) {
        yield* pass(500)
        fibers.push(...(yield* together([ask("any")])))
      }
      yield* pass(2000)
      const waiting = (yield* Effect.forEach(fibers, Fiber.poll)).filter(Option.isNone).length
      expect(waiting).toBe(0)
    }).pipe(Effect.provide(mimo(revoked)))
  )
})

describe("a good key at a gateway that is full", () => {
  it.effect("is no dead one because a dozen calls are refused within a moment", () => {
    const refusedOnce = new Set<string>()
    return Effect.gen(function* () {
      yield* accept
      const fibers: Array<Fiber.Fiber<Either.Either<unknown, Provider.Error>>> = []
      for (let i = 0; i < 20; i++) {
        fibers.push(...(yield* together([ask(`number ${i}.`)])))
        yield* pass(10)
      }
      yield* pass(5000)
      const outcomes = yield* Effect.forEach(fibers, Fiber.join)
      expect(outcomes.filter(Either.isLeft)).toEqual([])
      expect(yield* knownGood).toBe(true)
    }).pipe(
      Effect.provide(
        mimo(
          (request) => {
            const prompt = /number \d+\./.exec(JSON.stringify(request.body))?.[0]
            if (prompt === undefined || refusedOnce.has(prompt)) return whole
            refusedOnce.add(prompt)
            return refused()
          },
          { coolDown: false }
        )
      )
    )
  })

  it.effect("is no dead one because three calls without cool-down use up their retries between two answers", () => {
    const busyUntil: Array<number> = []
    return Effect.gen(function* () {
      const first = yield* Effect.fork(accept)
      yield* pass(200)
      yield* Fiber.join(first)
      const caller = Effect.repeatN(Effect.either(ask("any")), 20)
      yield* Effect.forkAll(times(64, caller), { discard: true })
      for (let i = 0; i < 100; i++) {
        yield* pass(100)
        expect(yield* knownGood, `after ${i} tenths of a second`).toBe(true)
      }
    }).pipe(
      Effect.withRandom(Random.make("a full gateway")),
      Effect.provide(
        mimo(
          ({ at }) => {
            if (busyUntil.filter((until) => until > at).length >= 16) return Gateway.delay("2 millis", refused())
            busyUntil.push(at + 200)
            return Gateway.delay("200 millis", whole)
          },
          { coolDown: false }
        )
      )
    )
  })

  for (const coolDown of [true, false]) {
    it.effect(`is no dead one as long as it works on other requests with it (coolDown: ${coolDown})`, () =>
      Effect.gen(function* () {
        yield* accept
        const long = yield* together(times(4, ask("long")))
        yield* pass(3000)
        for (let i = 0; i < 6; i++) {
          const [other] = yield* together([ask("other")])
          // The window is full of those four, and tries one more every half minute.
          for (let seconds = 0; seconds < 120; seconds += 10) yield* pass(10_000)
          if (other !== undefined)
            expect(yield* Fiber.join(other)).toMatchObject({ left: { knownGood: true, attempts: 3 } })
        }
        expect(yield* knownGood).toBe(true)
        yield* pass(3_600_000)
        for (const fiber of long) expect(Either.isRight(yield* Fiber.join(fiber))).toBe(true)
      }).pipe(
        Effect.provide(
          mimo(
            (request) =>
              isAbout("long", request) ? Gateway.delay("1 hour", whole) : isAbout("other", request) ? refused() : whole,
            { coolDown, timeouts: { headers: "2 hours" } }
          )
        )
      )
    )
  }
})

describe("what is private to one call closes the gate to nobody", () => {
  const policies: ReadonlyArray<readonly [name: string, setup: Setup]> = [
    [
      "a policy that waits a quarter of an hour",
      { policy: () => RetryPolicy.transient({ base: "15 minutes", cap: "15 minutes" }) }
    ],
    ["no retry at all", { policy: () => RetryPolicy.none }]
  ]
  for (const [name, setup] of policies) {
    it.effect(`${name}: the others wait as long as the server said`, () =>
      Effect.gen(function* () {
        yield* together([ask("first")])
        yield* pass(100)
        yield* together([ask("second")])
        yield* pass(10_000)
        expect(yield* askedFor("second")).toEqual([7100])
      }).pipe(Effect.provide(mimo(firstAbout("first", told(7)), setup)))
    )
  }

  it.effect("a wait over the maximum, which is not waited for: the others wait for a minute", () =>
    Effect.gen(function* () {
      yield* together([ask("first")])
      yield* pass(100)
      yield* together([ask("second")])
      yield* pass(59_900)
      expect(yield* askedFor("second")).toEqual([])
      yield* pass(1000)
      expect(yield* askedFor("second")).toEqual([60_100])
    }).pipe(Effect.provide(mimo(firstAbout("first", told(3600)))))
  )

  it.effect("an observer that takes ten minutes", () =>
    Effect.gen(function* () {
      const slow = { onRetry: () => Effect.sleep("10 minutes") }
      yield* together([Effect.provideService(ask("first"), RetryObserver.RetryObserver, slow)])
      yield* pass(100)
      yield* together([ask("second")])
      yield* pass(10_000)
      expect(yield* askedFor("second")).toEqual([7100])
    }).pipe(Effect.provide(mimo(firstAbout("first", told(7)))))
  )

  it.effect("a call that is interrupted while it waits", () =>
    Effect.gen(function* () {
      const [first] = yield* together([ask("first")])
      yield* pass(100)
      yield* together([ask("second")])
      if (first !== undefined) yield* Fiber.interrupt(first)
      yield* pass(7000)
      expect(yield* askedFor("second")).toEqual([7100])
    }).pipe(Effect.provide(mimo(firstAbout("first", told(7)))))
  )

  /** The key is read so; the first call is told to wait for 7 seconds. */
  const reading = (apiKey: Effect.Effect<Redacted.Redacted>, calls: number) =>
    Effect.gen(function* () {
      const provider = yield* MiMo.make({ apiKey })
      const fibers = yield* Effect.forEach(times(calls, about("any")), (request) =>
        Effect.fork(provider.complete(request))
      )
      for (let second = 0; second < 60; second++) yield* pass(1000)
      const outcomes = yield* Effect.forEach(fibers, Fiber.poll)
      return outcomes.filter(Option.isSome).length
    }).pipe(Effect.provide(Gateway.layer(firstAbout("any", told(7)))))

  it.effect("a reader of the key that takes longer than a turn is held for it: its calls go all the same", () =>
    Effect.gen(function* () {
      const slow = Effect.delay(Effect.succeed(Redacted.make(plantedKey)), "1500 millis")
      expect(yield* reading(slow, 20)).toBe(20)
    })
  )

  it.effect("a reader of the key that hangs after the wait, and cannot be interrupted", () =>
    Effect.gen(function* () {
      let reads = 0
      const key = Effect.succeed(Redacted.make(plantedKey))
      const apiKey = Effect.suspend(() => (++reads > 5 ? Effect.uninterruptible(Effect.delay(key, "10 minutes")) : key))
      // One is refused, and then its key cannot be read: it is the only one that does not end.
      expect(yield* reading(apiKey, 5)).toBe(4)
      yield* pass(1_200_000)
    })
  )

  it.effect("a reader of the key that never comes back", () =>
    Effect.gen(function* () {
      let reads = 0
      // The key of the third read never comes: that call's second attempt.
      const apiKey = Effect.suspend(() => (++reads === 3 ? Effect.never : Effect.succeed(Redacted.make(plantedKey))))
      const provider = yield* MiMo.make({ apiKey })
      yield* Effect.fork(provider.complete(about("first")))
      yield* pass(100)
      yield* Effect.fork(provider.complete(about("second")))
      yield* pass(10_000)
      yield* Effect.fork(provider.complete(about("third")))
      yield* pass(10_000)
      expect((yield* askedFor("second")).concat(yield* askedFor("third")).length).toBe(2)
    }).pipe(Effect.provide(Gateway.layer(firstAbout("first", told(7)))))
  )
})

describe("a complaint", () => {
  for (const [name, answer] of [
    ["a 429 with Retry-After", told(7)],
    ["a 503 with Retry-After", failed(503, { "retry-after": "7" })],
    ["a 401 with Retry-After on a known-good key", refused(401, { "retry-after": "7" })]
  ] as const) {
    it.effect(`${name} makes a call that comes later wait for that moment`, () =>
      Effect.gen(function* () {
        const warm = yield* Effect.fork(accept)
        yield* pass(100)
        yield* Fiber.join(warm)
        const first = yield* Effect.fork(ask("first"))
        yield* pass(200)
        const second = yield* Effect.fork(ask("second"))
        yield* patiently(Effect.all([Fiber.join(first), Fiber.join(second)]))
        // Told at 200. Those who waited go before the one that was told; then one more at a time.
        expect(yield* askedFor("second")).toEqual([7200])
        expect((yield* askedFor("first")).at(-1)).toBe(7300)
      }).pipe(Effect.provide(mimo(firstAbout("first", answer))))
    )
  }

  for (const [name, answer] of [
    ["a 503 that names no moment", failed(503)],
    ["a 429 that names no moment", failed(429)],
    ["a 401 on a known-good key", refused()],
    ["a connection that breaks", Gateway.unreachable],
    ["a 400", failed(400)]
  ] as const) {
    it.effect(`${name} closes nothing`, () =>
      Effect.gen(function* () {
        const warm = yield* Effect.fork(accept)
        yield* pass(100)
        yield* Fiber.join(warm)
        yield* together([ask("first")])
        yield* pass(100)
        yield* together([ask("second")])
        yield* pass(10_000)
        expect(yield* askedFor("second")).toEqual([200])
      }).pipe(Effect.provide(mimo(firstAbout("first", answer))))
    )
  }

  for (const [name, answer] of [
    ["a 429", failed(429)],
    ["a 503", failed(503)],
    ["a 401 on a known-good key", refused()]
  ] as const) {
    it.effect(`${name} without a moment shrinks the window to what was in flight and accepted`, () =>
      Effect.gen(function* () {
        const warm = yield* Effect.fork(accept)
        yield* pass(100)
        yield* Fiber.join(warm)
        yield* together(times(8, ask("first")))
        yield* pass(50)
        // Four of the eight are refused at once; the others take their time.
        yield* together(times(20, ask("later")))
        yield* pass(40)
        expect((yield* askedFor("later")).length).toBe(0)
        yield* pass(15)
        expect((yield* askedFor("later")).length).toBe(4)
      }).pipe(
        Effect.provide(
          mimo((request, index) =>
            index === 0
              ? Gateway.delay("100 millis", whole)
              : isAbout("first", request) && index % 2 === 0
                ? Gateway.delay("10 millis", answer)
                : Gateway.delay("100 millis", whole)
          )
        )
      )
    )
  }

  for (const [name, ask, answer] of [
    ["whole replies", (text: string) => Effect.asVoid(Provider.complete(about(text))), whole],
    ["streams", (text: string) => Stream.runDrain(Provider.stream(about(text))), streamed]
  ] as const) {
    it.effect(`is forgotten by degrees: with each answer twice as many go (${name})`, () =>
      Effect.gen(function* () {
        yield* together([ask("first")])
        yield* pass(100)
        yield* together(times(20, 0).map(() => ask("later")))
        yield* pass(7000)
        expect((yield* askedFor("later")).length).toBe(1)
        yield* pass(100)
        expect((yield* askedFor("later")).length).toBe(1 + 2)
        yield* pass(100)
        expect((yield* askedFor("later")).length).toBeGreaterThan(1 + 2 + 3)
        yield* pass(300)
        expect((yield* askedFor("later")).length).toBe(20)
      }).pipe(
        Effect.provide(
          mimo((request, index) =>
            Gateway.delay("100 millis", index === 0 && isAbout("first", request) ? told(7) : answer)
          )
        )
      )
    )
  }

  it.effect("inside a 200, before any output, shrinks the window, too", () =>
    Effect.gen(function* () {
      yield* together(times(8, 0).map(() => ask("first")))
      yield* pass(50)
      yield* together(times(20, 0).map(() => ask("later")))
      yield* pass(40)
      expect((yield* askedFor("later")).length).toBe(0)
    }).pipe(
      Effect.provide(
        mimo((request, index) =>
          isAbout("first", request) && index % 2 === 0
            ? Gateway.delay("10 millis", Gateway.json({ error: { code: "server_busy", message: "busy" } }))
            : Gateway.delay("100 millis", whole)
        )
      )
    )
  )

  it.effect("a 401 on a key that was never accepted holds nobody back", () =>
    Effect.gen(function* () {
      const first = yield* Effect.fork(Effect.either(ask("first")))
      yield* pass(100)
      const second = yield* Effect.fork(ask("second"))
      yield* patiently(Effect.all([Fiber.join(first), Fiber.join(second)]))
      expect(yield* askedFor("second")).toEqual([100])
    }).pipe(Effect.provide(mimo(firstAbout("first", refused()))))
  )

  it.effect("with coolDown: false, lets everything through", () =>
    Effect.gen(function* () {
      const first = yield* Effect.fork(ask("first"))
      yield* pass(100)
      const later = yield* Effect.forEach(times(20, "second"), ask, { concurrency: "unbounded" }).pipe(Effect.fork)
      yield* patiently(Effect.all([Fiber.join(first), Fiber.join(later)]))
      expect(yield* askedFor("second")).toEqual(times(20, 100))
    }).pipe(Effect.provide(mimo(firstAbout("first", told(7)), { coolDown: false })))
  )

  it.effect("lets nobody out before the gate is closed", () =>
    Effect.gen(function* () {
      const first = yield* Effect.fork(ask("first"))
      yield* pass(100)
      const later = yield* Effect.forEach(times(3, "second"), ask, { concurrency: "unbounded" }).pipe(Effect.fork)
      yield* patiently(Effect.all([Fiber.join(first), Fiber.join(later)]))
      // The one request after the first moment is refused, and with it nobody else is until the second.
      expect((yield* asked).slice(0, 3)).toEqual([0, 1100, 2200])
    }).pipe(Effect.provide(mimo((_, index) => Gateway.delay("100 millis", index < 2 ? told(1) : whole))))
  )
})

describe("an answer that comes in one piece", () => {
  const ways = [
    ["whole", ask("later"), whole],
    ["as a stream", Stream.runDrain(Provider.stream(about("later"))), streamed]
  ] as const
  for (const [name, call, answer] of ways) {
    it.effect(`${name} counts as accepted: after a pause twice as many go with each answer`, () =>
      Effect.gen(function* () {
        yield* together([ask("told")])
        yield* pass(100)
        yield* together(times(8, call))
        yield* pass(5000)
        const counts = new Map<number, number>()
        for (const at of yield* askedFor("later")) counts.set(at, (counts.get(at) ?? 0) + 1)
        expect([...counts]).toEqual([
          [1100, 1],
          [1200, 2],
          [1300, 5]
        ])
      }).pipe(
        Effect.provide(
          mimo((request) => Gateway.delay("100 millis", isAbout("told", request) ? told(1) : answer), {
            policy: () => RetryPolicy.none
          })
        )
      )
    )

    it.effect(`${name} with a complaint in it closes the gate as any other`, () =>
      Effect.gen(function* () {
        yield* together([name === "whole" ? ask("first") : Stream.runDrain(Provider.stream(about("first")))])
        yield* pass(100)
        yield* together([ask("second")])
        yield* pass(10_000)
        expect(yield* askedFor("second")).toEqual([7100])
      }).pipe(
        Effect.provide(
          mimo(
            firstAbout("first", {
              ...(name === "whole"
                ? Gateway.json({ error: { code: "server_busy", message: "busy" } })
                : Gateway.sse([{ error: { code: "server_busy" } }])),
              headers: {
                "content-type": name === "whole" ? "application/json" : "text/event-stream",
                "retry-after": "7"
              }
            })
          )
        )
      )
    )
  }

  it.effect("and refuses the request for what it is counts, too: there was room for it", () =>
    Effect.gen(function* () {
      yield* together([ask("told")])
      yield* pass(100)
      yield* together(times(8, ask("later")))
      yield* pass(5000)
      expect(new Set(yield* askedFor("later"))).toEqual(new Set([1100, 1200, 1300]))
    }).pipe(
      Effect.provide(
        mimo((request) => Gateway.delay("100 millis", isAbout("told", request) ? told(1) : failed(400)), {
          policy: () => RetryPolicy.none
        })
      )
    )
  )
})

describe("a bound of one", () => {
  it.effect("the next call is sent when the stream before it has ended, not when it has begun", () =>
    Effect.gen(function* () {
      const provider = yield* MiMo.make({ apiKey: Redacted.make("tp-s0000000000000000"), concurrency: 1 })
      const stream = yield* Effect.fork(Stream.runDrain(provider.stream(hello)))
      const next = yield* Effect.fork(provider.complete(hello))
      yield* patiently(Effect.all([Fiber.join(stream), Fiber.join(next)]))
      const [, second = 0] = yield* asked
      expect(second).toBe(streamed.body.length * 1000)
    }).pipe(Effect.provide(Gateway.layer([Gateway.paced("1 second", streamed), whole])))
  )

  it.effect("holds without cool-down, too", () =>
    Effect.gen(function* () {
      const provider = yield* MiMo.make({
        apiKey: Redacted.make("tp-s0000000000000000"),
        concurrency: 1,
        coolDown: false
      })
      const calls = Effect.all([provider.complete(hello), provider.complete(hello)], { concurrency: "unbounded" })
      yield* patiently(calls)
      expect(yield* asked).toEqual([0, 1000])
    }).pipe(Effect.provide(Gateway.layer(() => Gateway.delay("1 second", whole))))
  )
})

describe("a key that rotates", () => {
  const rotating = (script: Gateway.Script) =>
    Effect.gen(function* () {
      const present = yield* Ref.make("tp-s-the-first-key")
      const provider = yield* MiMo.make({ apiKey: Effect.map(Ref.get(present), Redacted.make) })
      const keys = Effect.map(Gateway.requests, (requests) => requests.map(({ headers }) => headers["api-key"]))
      return { provider, keys, change: Ref.set(present, "tp-s-the-second-key") }
    }).pipe((self) =>
      Effect.flatMap(Layer.build(Gateway.layer(script)), (context) =>
        Effect.map(Effect.provide(self, context), (made) => ({ ...made, keys: Effect.provide(made.keys, context) }))
      )
    )

  it.scoped("while a request is on its way: its 401 is worth one try with the new key, at once", () =>
    Effect.gen(function* () {
      const { change, keys, provider } = yield* rotating([Gateway.delay("1 second", refused()), whole])
      const notices: Array<RetryObserver.RetryNotice> = []
      const observer = { onRetry: (notice: RetryObserver.RetryNotice) => Effect.sync(() => void notices.push(notice)) }
      const call = yield* Effect.fork(
        Effect.provideService(provider.complete(hello), RetryObserver.RetryObserver, observer)
      )
      yield* pass(500)
      yield* change
      yield* pass(500)
      expect((yield* Fiber.join(call)).text).toBe("Hello, world")
      expect(yield* keys).toEqual(["tp-s-the-first-key", "tp-s-the-second-key"])
      expect(notices.map(({ attempt, budget, delay }) => [attempt, budget, Duration.toMillis(delay)])).toEqual([
        [1, 1, 0]
      ])
    })
  )

  it.scoped("one try, not one for each key that there ever is", () =>
    Effect.gen(function* () {
      let reads = 0
      const apiKey = Effect.sync(() => Redacted.make(`tp-s-key-number-${++reads}`))
      const context = yield* Layer.build(Gateway.layer(() => refused()))
      const provider = yield* Effect.provide(MiMo.make({ apiKey }), context)
      const error = yield* Effect.flip(provider.complete(hello))
      expect(error).toMatchObject({ _tag: "AuthRejected", attempts: 2 })
      expect(error.history.length).toBe(2)
    })
  )

  it.scoped("the old key's 401 is judged by the old key's flag, not by the new one's", () =>
    Effect.gen(function* () {
      const { change, provider } = yield* rotating((request, index) =>
        index === 0
          ? whole
          : request.headers["api-key"] === "tp-s-the-first-key"
            ? Gateway.delay("1 second", refused())
            : Gateway.delay("1 second", refused())
      )
      yield* provider.complete(hello)
      const call = yield* Effect.fork(Effect.flip(provider.complete(hello)))
      yield* pass(500)
      yield* change
      yield* pass(2000)
      // The new key was never accepted: what it was refused with is final, and says so.
      expect(yield* Fiber.join(call)).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 2 })
    })
  )

  it.scoped("is read again after a wait at the gate", () =>
    Effect.gen(function* () {
      const { change, keys, provider } = yield* rotating([told(10), whole, whole])
      yield* Effect.fork(provider.complete(hello))
      yield* pass(1)
      const waiting = yield* Effect.fork(provider.complete(hello))
      yield* pass(1000)
      yield* change
      yield* pass(20_000)
      yield* Fiber.join(waiting)
      expect((yield* keys).slice(1)).toEqual(times(2, "tp-s-the-second-key"))
    })
  )
})

describe("the span of an attempt", () => {
  /** How the spans have ended. */
  const ends = ({ ended }: Spans.Spans) =>
    ended.map(({ attributes, name, status }) => [
      name,
      attributes.get("status"),
      status._tag === "Ended" && Exit.isSuccess(status.exit)
    ])

  const cut = Gateway.sse([chunk({ content: "Hel" }), chunk({ content: "lo" })])

  const ways: ReadonlyArray<
    readonly [name: string, follow: Effect.Effect<unknown, Provider.Error, Provider.Provider>]
  > = [
    ["stream", Stream.runDrain(Provider.stream(hello))],
    ["listen", Provider.listen(hello, () => undefined)]
  ]
  for (const [name, follow] of ways) {
    it.effect(`fails when the answer breaks in the middle (${name})`, () => {
      const spans = Spans.collect()
      return Effect.gen(function* () {
        yield* Effect.either(follow)
        expect(ends(spans)).toEqual([["knowngood.attempt", 200, false]])
      }).pipe(Effect.provide(mimo([cut])), Effect.withTracer(spans.tracer))
    })
  }

  it.effect("lasts as long as the answer is read, ends once, and is OK", () => {
    const spans = Spans.collect()
    return Effect.gen(function* () {
      const reading = yield* Effect.fork(Stream.runDrain(Provider.stream(hello)))
      yield* pass(1500)
      expect(ends(spans)).toEqual([])
      yield* pass(10_000)
      yield* Fiber.join(reading)
      expect(ends(spans)).toEqual([["knowngood.attempt", 200, true]])
    }).pipe(Effect.provide(mimo([Gateway.paced("1 second", streamed)])), Effect.withTracer(spans.tracer))
  })

  it.effect("there is one for each attempt, and one that is refused has failed", () => {
    const spans = Spans.collect()
    return Effect.gen(function* () {
      yield* patiently(ask("any"))
      expect(ends(spans)).toEqual([
        ["knowngood.attempt", 503, false],
        ["knowngood.attempt", 200, true]
      ])
    }).pipe(Effect.provide(mimo([failed(503), whole])), Effect.withTracer(spans.tracer))
  })
})

describe("the span of a call that is given up", () => {
  /** How many attempts have begun, and how many have ended. No span shows the key. */
  const count = ({ begun, ended }: Spans.Spans) => {
    for (const { attributes } of begun) expect([...attributes.values()].join()).not.toContain(plantedKey.slice(0, 8))
    const attempts = (spans: Spans.Spans["begun"]) => spans.filter(({ name }) => name === "knowngood.attempt").length
    return { begun: attempts(begun), ended: attempts(ended) }
  }

  for (const stride of Effort.some([10, 11, 12, 13, 14, 15, 16, 17, 2048], 2, 4)) {
    it.effect(`after any number of steps ends once (stride ${stride})`, () =>
      Effect.gen(function* () {
        for (let steps = 0; steps < 60; steps++) {
          const spans = Spans.collect()
          const fiber = yield* Effect.forkDaemon(
            ask("any").pipe(Effect.withMaxOpsBeforeYield(stride), Effect.withTracer(spans.tracer))
          )
          yield* Effect.repeatN(Effect.yieldNow(), steps)
          yield* Fiber.interrupt(fiber)
          const { begun, ended } = count(spans)
          expect(ended, `after ${steps} steps`).toBe(begun)
        }
        expect((yield* ask("any")).text).toBe("Hello, world")
      }).pipe(Effect.provide(mimo(() => Gateway.delay("0 millis", whole))))
    )
  }

  for (const [where, script] of [
    ["in the line", (_: Gateway.Recorded, index: number) => (index === 0 ? told(59) : whole)],
    ["before the headers", () => Gateway.delay("1 hour", whole)],
    ["in the body", () => Gateway.paced("1 minute", streamed)]
  ] as const) {
    it.effect(`${where} ends once, for each attempt`, () => {
      const spans = Spans.collect()
      return Effect.gen(function* () {
        const fibers = yield* together(times(3, Stream.runDrain(Provider.stream(hello))))
        yield* pass(90_000)
        for (const fiber of fibers) yield* Fiber.interrupt(fiber)
        const { begun, ended } = count(spans)
        expect(begun).toBeGreaterThanOrEqual(3)
        expect(ended).toBe(begun)
      }).pipe(Effect.provide(mimo(script)), Effect.withTracer(spans.tracer))
    })
  }

  it.effect("is none where tracing is disabled, and the call is as ever", () => {
    const spans = Spans.collect()
    return Effect.gen(function* () {
      expect((yield* patiently(ask("any"))).text).toBe("Hello, world")
      expect(count(spans)).toEqual({ begun: 0, ended: 0 })
    }).pipe(
      Effect.provide(mimo([failed(503), whole])),
      Effect.withTracer(spans.tracer),
      Effect.withTracerEnabled(false)
    )
  })
})

describe("an observer", () => {
  for (const [what, onRetry, found] of [
    // A mistake of the program's is shown, as what `onEvent` throws is.
    ["that dies", Effect.die("broken"), "Die"],
    ["that is interrupted", Effect.interrupt, "Interrupt"]
  ] as const) {
    it.effect(`${what} ends its call so, and keeps nobody's turn`, () =>
      Effect.gen(function* () {
        const provider = yield* MiMo.make({ apiKey: Redacted.make(plantedKey), concurrency: 1 })
        const exit = yield* Effect.exit(
          Effect.provideService(provider.complete(hello), RetryObserver.RetryObserver, { onRetry: () => onRetry })
        )
        expect(exit).toMatchObject({ cause: { _tag: found } })
        expect((yield* provider.complete(hello)).text).toBe("Hello, world")
      }).pipe(Effect.provide(Gateway.layer([failed(503), whole])))
    )
  }
})

it.effect("a call without a key is told so at once, whoever waits at the gate", () =>
  Effect.gen(function* () {
    expect(Either.isLeft(yield* Effect.either(ask("any")))).toBe(true)
    expect(yield* asked).toEqual([])
  }).pipe(Effect.provide(mimo([], { key: undefined })))
)

it.effect("64 calls that are refused once each take their backoff, not one after the other", () =>
  Effect.gen(function* () {
    yield* accept
    const seen = new Set<string>()
    const fibers = yield* together(times(64, 0).map((_, i) => ask(`number ${i}.`)))
    yield* pass(backoff(1))
    yield* pass(5000)
    const outcomes = yield* Effect.forEach(fibers, Fiber.poll)
    expect(outcomes.filter(Option.isSome).length).toBe(64)
    expect(seen.size).toBe(0)
  }).pipe(
    Effect.provide(
      (() => {
        const seen = new Set<string>()
        return mimo(({ body }) => {
          const prompt = /number \d+\./.exec(JSON.stringify(body))?.[0]
          if (prompt === undefined || seen.has(prompt)) return whole
          seen.add(prompt)
          return failed(503)
        })
      })()
    )
  )
)
