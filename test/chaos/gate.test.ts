/** The laws of the gate, under the test clock. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Stream, TestClock } from "effect"
import * as FastCheck from "effect/FastCheck"
import * as Gate from "../../src/Gate.js"
import { MiMo, Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { accept, backoff, failed, hello, mimo, patiently, refused, streamed, times, whole } from "../Wire.js"
import { come, comes, round, settled, whoIsIn } from "./Caller.js"

const minute = 60_000

describe("with nothing to complain of", () => {
  it.effect("all who come are let in", () =>
    Effect.gen(function* () {
      expect(whoIsIn(yield* come(yield* Gate.make(), 200)).length).toBe(200)
    })
  )

  it.effect("a bound holds, and whoever leaves makes room for the one who came first", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 2 }), 5)
      expect(whoIsIn(callers)).toEqual([0, 1])
      yield* callers[1]?.leave ?? Effect.void
      expect(whoIsIn(callers)).toEqual([0, 2])
      yield* callers[2]?.leave ?? Effect.void
      yield* callers[0]?.leave ?? Effect.void
      expect(whoIsIn(callers)).toEqual([3, 4])
    })
  )

  it.effect("a complaint with a bound: the smaller of bound and window counts", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 2 })
      const first = yield* come(gate, 2)
      const later = yield* come(gate, 6)
      yield* first[0]?.complain(1000) ?? Effect.void
      yield* round(first)
      yield* TestClock.adjust(1000)
      yield* settled
      const sizes: Array<number> = []
      while (whoIsIn(later).length > 0) sizes.push(yield* round(later))
      expect(sizes.at(0)).toBe(1)
      expect(Math.max(...sizes)).toBe(2)
    })
  )
})

describe("the line", () => {
  it.effect("first come, first served", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 1 }), 6)
      for (const [i, caller] of callers.entries()) {
        expect(whoIsIn(callers)).toEqual([i])
        yield* caller.leave
      }
    })
  )

  it.effect("a call that is retried keeps its place", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 1 })
      const [first, second, third] = yield* come(gate, 3)
      yield* first?.leave ?? Effect.void
      const again = yield* comes(gate, { ticket: first?.ticket })
      yield* second?.leave ?? Effect.void
      expect([again.isIn(), third?.isIn()]).toEqual([true, false])
      yield* again.leave
      expect(third?.isIn()).toBe(true)
    })
  )

  it.effect("whoever comes while others wait goes behind them, though there is room", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const [complainer] = yield* come(gate, 1)
      yield* complainer?.complain(1000) ?? Effect.void
      yield* complainer?.leave ?? Effect.void
      const waiting = yield* come(gate, 2)
      yield* TestClock.adjust(1000)
      yield* settled
      const late = yield* comes(gate)
      expect(whoIsIn([...waiting, late])).toEqual([0])
    })
  )

  it.effect("interruption of a waiting call frees its place", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 1 }), 3)
      yield* Fiber.interrupt(callers[1]?.fiber ?? Fiber.void)
      yield* callers[0]?.leave ?? Effect.void
      expect(whoIsIn(callers)).toEqual([2])
    })
  )

  it.effect("interruption of a call that has its turn frees the turn", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 1 }), 2)
      yield* Fiber.interrupt(callers[0]?.fiber ?? Fiber.void)
      yield* settled
      expect(whoIsIn(callers)).toEqual([1])
    })
  )

  for (const [title, order] of [
    ["after the turn came", [0, 1]],
    ["before the turn comes", [1, 0]]
  ] as const) {
    it.effect.each([10, 11, 12, 13, 14, 15, 2048])(
      `interruption any number of steps ${title} frees the turn (stride %i)`,
      (stride) =>
        Effect.gen(function* () {
          for (let steps = 0; steps < 60; steps++) {
            const gate = yield* Gate.make({ concurrency: 1 })
            const callers = yield* Effect.forEach(times(3, stride), (stride) => comes(gate, { stride }))
            yield* Fiber.interruptFork(callers[order[0]]?.fiber ?? Fiber.void)
            yield* Effect.repeatN(Effect.yieldNow(), steps)
            yield* Fiber.interruptFork(callers[order[1]]?.fiber ?? Fiber.void)
            yield* Effect.repeatN(settled, 10)
            expect(whoIsIn(callers), `after ${steps} steps`).toEqual([2])
          }
        })
    )
  }
})

describe("closed until a moment", () => {
  const closed = (until: number) =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const [first] = yield* come(gate, 1)
      yield* first?.complain(until) ?? Effect.void
      yield* first?.leave ?? Effect.void
      return gate
    })

  it.effect("it opens then, and not a millisecond sooner", () =>
    Effect.gen(function* () {
      const caller = yield* comes(yield* closed(5000))
      yield* TestClock.adjust(4999)
      yield* settled
      expect(caller.isIn()).toBe(false)
      yield* TestClock.adjust(1)
      yield* settled
      expect(caller.isIn()).toBe(true)
    })
  )

  it.effect("whoever comes after that moment walks in", () =>
    Effect.gen(function* () {
      const gate = yield* closed(5000)
      yield* TestClock.adjust(5000)
      expect((yield* comes(gate)).isIn()).toBe(true)
    })
  )

  it.effect("a later moment holds, an earlier one does not shorten it", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const [a, b, c] = yield* come(gate, 3)
      yield* a?.complain(1000) ?? Effect.void
      const waiting = yield* comes(gate)
      yield* b?.complain(3000) ?? Effect.void
      yield* c?.complain(2000) ?? Effect.void
      for (const caller of [a, b, c]) yield* caller?.leave ?? Effect.void
      yield* TestClock.adjust(2999)
      yield* settled
      expect(waiting.isIn()).toBe(false)
      yield* TestClock.adjust(1)
      yield* settled
      expect(waiting.isIn()).toBe(true)
    })
  )

  it.effect("a gate that is closed again while it waits opens at the new moment", () =>
    Effect.gen(function* () {
      const gate = yield* closed(1000)
      const [probe, next] = yield* come(gate, 2)
      yield* TestClock.adjust(1000)
      yield* settled
      yield* probe?.complain(4000) ?? Effect.void
      yield* probe?.leave ?? Effect.void
      expect(next?.isIn()).toBe(false)
      yield* TestClock.adjust(2999)
      yield* settled
      expect(next?.isIn()).toBe(false)
      yield* TestClock.adjust(1)
      yield* settled
      expect(next?.isIn()).toBe(true)
    })
  )

  it.effect("the one whose wait opens the gate may be interrupted: the others get in all the same", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* closed(1000), 3)
      yield* Fiber.interrupt(callers[0]?.fiber ?? Fiber.void)
      yield* TestClock.adjust(1000)
      yield* settled
      expect(whoIsIn(callers)).toEqual([1])
    })
  )
})

describe("after a complaint", () => {
  /** So many were in flight when one complained; those who wait since then, and the time has come. */
  const complained = (inFlight: number, complaints: number, waiting: number) =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const first = yield* come(gate, inFlight)
      for (const caller of first.slice(0, complaints)) yield* caller.complain(1000)
      for (const caller of first) yield* caller.leave
      const callers = yield* come(gate, waiting)
      expect(whoIsIn(callers)).toEqual([])
      yield* TestClock.adjust(1000)
      yield* settled
      return { gate, callers }
    })

  const rounds = (callers: Effect.Effect.Success<ReturnType<typeof come>>, count: number) =>
    Effect.forEach(Array.from({ length: count }), () => round(callers))

  it.effect("one, then twice as many a round up to half of what was in flight, then about one more a round", () =>
    Effect.gen(function* () {
      const { callers } = yield* complained(16, 1, 100)
      const sizes = yield* rounds(callers, 10)
      expect(sizes.slice(0, 4)).toEqual([1, 2, 4, 8])
      for (const [i, size] of sizes.slice(4).entries()) expect([0, 1]).toContain(size - (sizes[i + 3] ?? 0))
      expect(sizes.at(-1)).toBeGreaterThanOrEqual(12)
    })
  )

  it.effect("requests that were on their way at a complaint do not complain again", () =>
    Effect.gen(function* () {
      const { callers } = yield* complained(16, 16, 60)
      expect(yield* rounds(callers, 4)).toEqual([1, 2, 4, 8])
    })
  )

  it.effect("a complaint of one who came after it starts again from one, up to half of what is in flight then", () =>
    Effect.gen(function* () {
      const { callers } = yield* complained(16, 1, 60)
      yield* rounds(callers, 3)
      const [complainer] = callers.filter((caller) => caller.isIn())
      yield* complainer?.complain(2000) ?? Effect.void
      yield* round(callers)
      expect(whoIsIn(callers)).toEqual([])
      yield* TestClock.adjust(1000)
      yield* settled
      expect((yield* rounds(callers, 5)).slice(0, 3)).toEqual([1, 2, 4])
    })
  )

  it.effect("calls that fail for another reason leave the number as it is", () =>
    Effect.gen(function* () {
      const { callers } = yield* complained(16, 1, 10)
      for (let i = 0; i < 5; i++) {
        expect(whoIsIn(callers)).toEqual([i])
        yield* callers[i]?.leave ?? Effect.void
      }
    })
  )

  it.effect("an idle gate forgets it after a quiet minute: when the last call leaves", () =>
    Effect.gen(function* () {
      const { callers, gate } = yield* complained(16, 1, 1)
      yield* TestClock.adjust(minute + 1)
      yield* callers[0]?.leave ?? Effect.void
      expect(whoIsIn(yield* come(gate, 50)).length).toBe(50)
    })
  )

  it.effect("an idle gate forgets it after a quiet minute: when the next call comes", () =>
    Effect.gen(function* () {
      const { callers, gate } = yield* complained(16, 1, 1)
      yield* callers[0]?.leave ?? Effect.void
      yield* TestClock.adjust(minute + 1)
      expect(whoIsIn(yield* come(gate, 50)).length).toBe(50)
    })
  )

  it.effect("within the minute it does not forget", () =>
    Effect.gen(function* () {
      const { callers, gate } = yield* complained(16, 1, 1)
      yield* TestClock.adjust(minute)
      yield* callers[0]?.leave ?? Effect.void
      expect(whoIsIn(yield* come(gate, 50)).length).toBe(1)
    })
  )
})

/** What happens, and to whom or for how long. */
const move = FastCheck.tuple(
  FastCheck.constantFrom("come", "come", "come", "leave", "taken", "interrupt", "complain", "wait"),
  FastCheck.nat(99)
)

describe("whatever happens", () => {
  it.effect.prop(
    "no more are in than the bound, nobody is let in while it is closed, and in the end all places are free",
    { moves: FastCheck.array(move, { maxLength: 60 }), concurrency: FastCheck.integer({ min: 1, max: 5 }) },
    ({ concurrency, moves }) =>
      Effect.gen(function* () {
        const gate = yield* Gate.make({ concurrency })
        const callers: Array<Effect.Effect.Success<ReturnType<typeof comes>>> = []
        let now = 0
        let until = 0
        for (const [what, n] of moves) {
          const before = whoIsIn(callers)
          const inside = callers.filter((caller) => caller.isIn())
          const one = inside[n % Math.max(1, inside.length)]
          if (what === "come") callers.push(yield* comes(gate))
          if (what === "leave") yield* one?.leave ?? Effect.void
          if (what === "taken") yield* one?.taken ?? Effect.void
          if (what === "interrupt")
            yield* Fiber.interrupt(callers[n % Math.max(1, callers.length)]?.fiber ?? Fiber.void)
          if (what === "complain" && one !== undefined) {
            until = Math.max(until, now + n)
            yield* one.complain(now + n)
          }
          if (what === "wait") {
            now += n
            yield* TestClock.adjust(n)
          }
          yield* settled
          const after = whoIsIn(callers)
          expect(after.length).toBeLessThanOrEqual(concurrency)
          if (now < until) expect(after.filter((i) => !before.includes(i))).toEqual([])
        }
        yield* TestClock.adjust(minute)
        for (const _ of callers) yield* round(callers)
        expect(whoIsIn(callers)).toEqual([])
        expect((yield* comes(gate)).isIn()).toBe(true)
      }),
    { fastCheck: { numRuns: 60 } }
  )
})

describe("in a provider", () => {
  const asked = Effect.map(Gateway.requests, (requests) => requests.map(({ at }) => at))
  const askedFor = (text: string) =>
    Effect.map(Gateway.requests, (requests) =>
      requests.filter(({ body }) => JSON.stringify(body).includes(text)).map(({ at }) => at)
    )
  const ask = (text: string) => Provider.complete({ messages: [{ role: "user", content: text }] })

  /** The first request about this is answered so, all others well, each after 100 ms. */
  const firstAbout = (text: string, answer: Gateway.Answer): Gateway.Script => {
    let done = false
    return ({ body }) => {
      const meant = !done && JSON.stringify(body).includes(text)
      if (meant) done = true
      return Gateway.delay("100 millis", meant ? answer : whole)
    }
  }

  for (const [name, answer, wait] of [
    ["a 429 with Retry-After", failed(429, { "retry-after": "7" }), 7000],
    ["a 503 with Retry-After", failed(503, { "retry-after": "7" }), 7000],
    ["a 401 on a known-good key", refused(), backoff(1)]
  ] as const) {
    it.effect(`${name} makes a call that comes later wait for that moment`, () =>
      Effect.gen(function* () {
        const warm = yield* Effect.fork(accept)
        yield* TestClock.adjust(100)
        yield* Fiber.join(warm)
        const told = yield* Effect.fork(ask("first"))
        yield* TestClock.adjust(200)
        const later = yield* Effect.fork(ask("second"))
        yield* patiently(Effect.all([Fiber.join(told), Fiber.join(later)]))
        // Told at 200; then one at a time.
        expect((yield* asked).slice(2)).toEqual([200 + wait, 200 + wait + 100])
      }).pipe(Effect.provide(mimo(firstAbout("first", answer))))
    )
  }

  for (const [name, answer] of [
    ["a 503 that names no moment", failed(503)],
    ["a connection that breaks", Gateway.unreachable],
    ["a 400", failed(400)]
  ] as const) {
    it.effect(`${name} holds nobody back`, () =>
      Effect.gen(function* () {
        const told = yield* Effect.fork(Effect.either(ask("first")))
        yield* TestClock.adjust(100)
        const later = yield* Effect.fork(ask("second"))
        yield* patiently(Effect.all([Fiber.join(told), Fiber.join(later)]))
        expect(yield* askedFor("second")).toEqual([100])
      }).pipe(Effect.provide(mimo(firstAbout("first", answer))))
    )
  }

  it.effect("a 401 on a key that was never accepted holds nobody back", () =>
    Effect.gen(function* () {
      const told = yield* Effect.fork(Effect.either(ask("first")))
      yield* TestClock.adjust(100)
      const later = yield* Effect.fork(ask("second"))
      yield* patiently(Effect.all([Fiber.join(told), Fiber.join(later)]))
      expect(yield* askedFor("second")).toEqual([100])
    }).pipe(Effect.provide(mimo(firstAbout("first", refused()))))
  )

  it.effect("coolDown: false lets everything through", () =>
    Effect.gen(function* () {
      const told = yield* Effect.fork(ask("first"))
      yield* TestClock.adjust(100)
      const later = yield* Effect.forEach(times(20, "second"), ask, { concurrency: "unbounded" }).pipe(Effect.fork)
      yield* patiently(Effect.all([Fiber.join(told), Fiber.join(later)]))
      expect(yield* askedFor("second")).toEqual(times(20, 100))
    }).pipe(Effect.provide(mimo(firstAbout("first", failed(429, { "retry-after": "7" })), { coolDown: false })))
  )

  it.effect("after the moment it is the call that was told that goes first", () =>
    Effect.gen(function* () {
      const told = yield* Effect.fork(ask("first"))
      yield* TestClock.adjust(100)
      const later = yield* Effect.forEach(times(3, "second"), ask, { concurrency: "unbounded" }).pipe(Effect.fork)
      yield* patiently(Effect.all([Fiber.join(told), Fiber.join(later)]))
      expect((yield* asked).slice(0, 2)).toEqual([0, 7100])
      expect(yield* askedFor("first")).toEqual([0, 7100])
    }).pipe(Effect.provide(mimo(firstAbout("first", failed(429, { "retry-after": "7" })))))
  )

  it.effect("a call that is told to wait lets nobody out before the gate is closed", () =>
    Effect.gen(function* () {
      const told = yield* Effect.fork(ask("first"))
      yield* TestClock.adjust(100)
      const later = yield* Effect.forEach(times(3, "second"), ask, { concurrency: "unbounded" }).pipe(Effect.fork)
      yield* patiently(Effect.all([Fiber.join(told), Fiber.join(later)]))
      // The one request after the first moment is refused, and with it nobody else is until the second.
      expect((yield* asked).slice(0, 3)).toEqual([0, 1100, 2200])
    }).pipe(
      Effect.provide(
        mimo((_, index) => Gateway.delay("100 millis", index < 2 ? failed(429, { "retry-after": "1" }) : whole))
      )
    )
  )

  it.effect("a bound of one: the next call is sent when the stream before it has ended, not when it has begun", () =>
    Effect.gen(function* () {
      const provider = yield* MiMo.make({ apiKey: Redacted.make("tp-s0000000000000000"), concurrency: 1 })
      const stream = yield* Effect.fork(Stream.runDrain(provider.stream(hello)))
      const next = yield* Effect.fork(provider.complete(hello))
      yield* patiently(Effect.all([Fiber.join(stream), Fiber.join(next)]))
      const [, second = 0] = yield* asked
      expect(second).toBe(streamed.body.length * 1000)
    }).pipe(Effect.provide(Gateway.layer([Gateway.paced("1 second", streamed), whole])))
  )

  it.effect("a bound holds without cool-down, too", () =>
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

describe("a bound that is none", () => {
  for (const concurrency of [0, -3, Number.NaN]) {
    it.effect(`${concurrency} still lets one in at a time`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make({ concurrency })
        for (let call = 0; call < 3; call++) yield* Effect.scopedWith((scope) => gate.enter(gate.ticket(), scope))
      })
    )
  }
})
