/** The laws of the gate itself, under the test clock: callers come, are answered or refused, leave, and are interrupted. */
import { describe, expect, it } from "@effect/vitest"
import { type Clock, Duration, Effect, Fiber, TestClock } from "effect"
import * as FastCheck from "effect/FastCheck"
import * as Gate from "../../src/credential/Gate.js"
import { type Caller, come, comes, round, settled, whoIsIn } from "../Caller.js"
import * as Effort from "../Effort.js"
import * as Wall from "../Wall.js"
import { times } from "../Wire.js"

const minute = 60_000

/** Time goes by. */
const pass = (millis: number) => Effect.zipRight(TestClock.adjust(millis), settled)

/** One of them, which there must be. */
const one = (callers: ReadonlyArray<Caller>, i: number): Caller => {
  const caller = callers[i]
  if (caller === undefined) throw new Error(`there is no caller ${i}`)
  return caller
}

describe("with nothing to complain of", () => {
  it.effect("all who come are let in", () =>
    Effect.gen(function* () {
      expect(whoIsIn(yield* come(yield* Gate.make(), 200)).length).toBe(200)
    })
  )
})

describe("a bound", () => {
  it.effect("holds, and whoever leaves makes room for the one who came first", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 2 }), 5)
      expect(whoIsIn(callers)).toEqual([0, 1])
      yield* one(callers, 1).leave
      expect(whoIsIn(callers)).toEqual([0, 2])
      yield* one(callers, 2).leave
      yield* one(callers, 0).leave
      expect(whoIsIn(callers)).toEqual([3, 4])
    })
  )

  it.effect("counts an answer until it is over, not until it has begun", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 1 }), 2)
      yield* one(callers, 0).accepted
      expect(whoIsIn(callers)).toEqual([0])
      yield* one(callers, 0).leave
      expect(whoIsIn(callers)).toEqual([1])
    })
  )

  it.effect("with a refusal: the smaller of bound and window counts", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 2 })
      const [first, second] = yield* come(gate, 2)
      const later = yield* come(gate, 6)
      yield* first?.refused() ?? Effect.void
      // The window is one now, and one is in flight.
      expect(whoIsIn(later)).toEqual([])
      yield* second?.accepted ?? Effect.void
      expect(whoIsIn(later)).toEqual([0])
    })
  )

  it.effect("holds for calls that do not cool down, too", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 1 })
      expect(whoIsIn(yield* come(gate, 3, { coolsDown: false }))).toEqual([0])
    })
  )

  for (const concurrency of [0, -3, Number.NaN, 0.5]) {
    it.effect(`of ${concurrency} still lets one in at a time`, () =>
      Effect.gen(function* () {
        const callers = yield* come(yield* Gate.make({ concurrency }), 3)
        for (const [i, caller] of callers.entries()) {
          expect(whoIsIn(callers)).toEqual([i])
          yield* caller.leave
        }
      })
    )
  }
})

describe("in flight", () => {
  it.effect("means sent and not yet answered: answers that are open take no place in the window", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const open = yield* come(gate, 20)
      yield* Effect.forEach(open, (caller) => caller.accepted)
      yield* (yield* comes(gate)).refused(1000)
      const later = yield* comes(gate)
      yield* pass(1000)
      expect(later.isIn()).toBe(true)
      expect(whoIsIn(open).length).toBe(20)
    })
  )

  it.effect("what is not refused within two seconds counts as accepted, so that slow answers hold up nobody", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(1000)
      const callers = yield* come(gate, 8)
      yield* pass(1000)
      expect(whoIsIn(callers)).toEqual([0])
      yield* pass(1999)
      expect(whoIsIn(callers)).toEqual([0])
      yield* pass(1)
      expect(whoIsIn(callers).length).toBeGreaterThan(1)
      yield* pass(10_000)
      expect(whoIsIn(callers).length).toBe(8)
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

  it.effect("a call that is repeated keeps its place", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 1 })
      const [first, second, third] = yield* come(gate, 3)
      yield* first?.leave ?? Effect.void
      const again = yield* comes(gate, { place: first?.place })
      yield* second?.leave ?? Effect.void
      expect([again.isIn(), third?.isIn()]).toEqual([true, false])
    })
  )

  it.effect("but one that was told to wait until a moment goes behind those who are there when it comes back", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const told = yield* comes(gate)
      yield* told.refused(1000)
      const waiting = yield* comes(gate)
      const back = yield* comes(gate, { place: told.place })
      yield* pass(1000)
      expect(whoIsIn([waiting, back])).toEqual([0])
    })
  )

  it.effect("and so does one that was refused twice as the only one", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const poisoned = yield* comes(gate)
      yield* poisoned.refused()
      const again = yield* comes(gate, { place: poisoned.place })
      yield* again.refused()
      const waiting = yield* comes(gate)
      const back = yield* comes(gate, { place: poisoned.place })
      yield* pass(2000)
      expect(whoIsIn([waiting, back])).toEqual([0])
    })
  )

  it.effect("whoever comes while others wait goes behind them, though there is room", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(1000)
      const waiting = yield* come(gate, 2)
      yield* pass(1000)
      const late = yield* comes(gate)
      expect(whoIsIn([...waiting, late])).toEqual([0])
    })
  )

  it.effect("calls that do not cool down pass it", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(1000)
      const waiting = yield* comes(gate)
      const other = yield* comes(gate, { coolsDown: false })
      expect(whoIsIn([waiting, other])).toEqual([1])
    })
  )

  it.effect("calls that do not cool down, and wait for the bound alone, pass those who wait for a moment", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 1 })
      const told = yield* comes(gate)
      const waiting = yield* comes(gate)
      const other = yield* comes(gate, { coolsDown: false })
      yield* told.refused(59_000)
      expect(whoIsIn([waiting, other])).toEqual([1])
    })
  )

  it.effect("of those who are told to wait for an hour, again after a minute: all are told, not one a minute", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(3_600_000)
      const callers = yield* come(gate, 64)
      yield* pass(minute)
      expect(whoIsIn(callers)).toEqual([0])
      yield* one(callers, 0).refused(3_540_000)
      expect(whoIsIn(callers).length).toBe(63)
    })
  )

  it.effect("of 10,000 is let in, interrupted and left in the time that their number takes", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make({ concurrency: 1 })
      const enter = Effect.scopedWith((scope) => gate.enter(new Gate.Place(true), scope))
      const holder = yield* comes(gate)
      const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), () => Effect.fork(enter))
      yield* settled
      yield* Effect.forEach(fibers.slice(0, 5000), Fiber.interruptFork)
      yield* holder.leave
      yield* Effect.forEach(fibers.slice(5000), Fiber.join)
      expect((yield* comes(gate)).isIn()).toBe(true)
    })
  )
})

describe("interruption", () => {
  it.effect("of a waiting call frees its place", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 1 }), 3)
      yield* Fiber.interrupt(one(callers, 1).fiber)
      yield* one(callers, 0).leave
      expect(whoIsIn(callers)).toEqual([2])
    })
  )

  it.effect("of a call that has its turn frees the turn", () =>
    Effect.gen(function* () {
      const callers = yield* come(yield* Gate.make({ concurrency: 1 }), 2)
      yield* Fiber.interrupt(one(callers, 0).fiber)
      yield* settled
      expect(whoIsIn(callers)).toEqual([1])
    })
  )

  it.effect("of the first in line of a closed gate wakes the second when it opens", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(1000)
      const callers = yield* come(gate, 3)
      yield* Fiber.interrupt(one(callers, 0).fiber)
      yield* pass(1000)
      expect(whoIsIn(callers)).toEqual([1])
    })
  )

  it.effect("of a repeated call in the line loses nobody's turn", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const refused = yield* comes(gate)
      yield* refused.refused(1000)
      const back = yield* comes(gate, { place: refused.place })
      const other = yield* comes(gate)
      yield* Fiber.interrupt(back.fiber)
      yield* pass(1000)
      expect(other.isIn()).toBe(true)
    })
  )

  for (const [title, order] of [
    ["after the turn came", [0, 1]],
    ["before the turn comes", [1, 0]]
  ] as const) {
    it.effect.each(Effort.some([10, 11, 12, 13, 14, 15, 16, 17, 2048], 3, 1))(
      `any number of steps ${title} frees it (stride %i)`,
      (stride) =>
        Effect.gen(function* () {
          for (let steps = 0; steps < 60; steps++) {
            const gate = yield* Gate.make({ concurrency: 1 })
            const callers = yield* Effect.forEach(times(3, stride), (stride) => comes(gate, { stride }))
            yield* Fiber.interruptFork(one(callers, order[0]).fiber)
            yield* Effect.repeatN(Effect.yieldNow(), steps)
            yield* Fiber.interruptFork(one(callers, order[1]).fiber)
            yield* Effect.repeatN(settled, 10)
            expect(whoIsIn(callers), `after ${steps} steps`).toEqual([2])
          }
        })
    )
  }

  it.effect.each(Effort.some([10, 11, 12, 13, 14, 15, 16, 17], 3, 1))(
    "as the gate opens, at any step, lets the next one in (stride %i)",
    (stride) =>
      Effect.gen(function* () {
        for (let steps = 0; steps < 40; steps++) {
          const gate = yield* Gate.make()
          yield* (yield* comes(gate)).refused(1000)
          const callers = yield* Effect.forEach(times(2, stride), (stride) => comes(gate, { stride }))
          yield* TestClock.adjust(1000)
          yield* Effect.repeatN(Effect.yieldNow(), steps)
          yield* Fiber.interruptFork(one(callers, 0).fiber)
          yield* Effect.repeatN(settled, 10)
          expect(whoIsIn(callers), `after ${steps} steps`).toEqual([1])
        }
      })
  )
})

describe("a refusal with a moment", () => {
  const closed = (millis: number) =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(millis)
      return gate
    })

  it.effect("closes the gate until then, and not a millisecond longer", () =>
    Effect.gen(function* () {
      const caller = yield* comes(yield* closed(5000))
      yield* pass(4999)
      expect(caller.isIn()).toBe(false)
      yield* pass(1)
      expect(caller.isIn()).toBe(true)
    })
  )

  it.effect("of more than a minute closes it for a minute", () =>
    Effect.gen(function* () {
      const caller = yield* comes(yield* closed(3_600_000))
      yield* pass(minute - 1)
      expect(caller.isIn()).toBe(false)
      yield* pass(1)
      expect(caller.isIn()).toBe(true)
    })
  )

  it.effect("lets whoever comes after that moment walk in", () =>
    Effect.gen(function* () {
      const gate = yield* closed(5000)
      yield* pass(5000)
      expect((yield* comes(gate)).isIn()).toBe(true)
    })
  )

  it.effect("a later moment holds, an earlier one does not shorten it", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const callers = yield* come(gate, 3)
      yield* one(callers, 0).refused(1000)
      const waiting = yield* comes(gate)
      yield* one(callers, 1).refused(3000)
      yield* one(callers, 2).refused(2000)
      yield* pass(2999)
      expect(waiting.isIn()).toBe(false)
      yield* pass(1)
      expect(waiting.isIn()).toBe(true)
    })
  )

  it.effect("holds for those who waited for a place when it came", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const callers = yield* come(gate, 2)
      yield* one(callers, 0).refused()
      const waiting = yield* comes(gate)
      // One is in flight, and the window is one: nobody in line has an alarm set. Now it is refused, with a moment.
      yield* one(callers, 1).refused(700)
      expect(waiting.isIn()).toBe(false)
      yield* pass(700)
      expect(waiting.isIn()).toBe(true)
    })
  )

  it.effect("is measured by a clock that nobody sets back", () =>
    Effect.gen(function* () {
      const wall = yield* Wall.make
      const gate = yield* Effect.withClock(Gate.make(), wall.clock)
      yield* (yield* comes(gate)).refused(5000)
      wall.setBack(3_600_000)
      const caller = yield* Effect.withClock(comes(gate), wall.clock)
      yield* pass(5000)
      expect(caller.isIn()).toBe(true)
    })
  )
})

describe("clocks", () => {
  /** The test clock, which is also a little later with every look, and whose timers come early. */
  const ticking = (tick: number, early = 0) =>
    Effect.map(Effect.clock, (clock): Clock.Clock => {
      let later = 0
      return Object.assign(Object.create(clock), {
        unsafeCurrentTimeNanos: () => {
          later += tick
          return clock.unsafeCurrentTimeNanos() + BigInt(Math.round(later * 1e6))
        },
        sleep: (duration: Duration.Duration) =>
          clock.sleep(Duration.millis(Math.max(0, Duration.toMillis(duration) - early)))
      })
    })

  for (const tick of [0.001, 0.1, 0.25, 0.5, 1, 3]) {
    for (const early of [0, 1, 5]) {
      it.effect(`that goes on by ${tick} ms between two looks, timers ${early} ms early: nobody sleeps on`, () =>
        Effect.gen(function* () {
          const clock = yield* ticking(tick, early)
          for (let millis = 1; millis < 60; millis += 3) {
            const gate = yield* Effect.withClock(Gate.make(), clock)
            yield* (yield* Effect.withClock(comes(gate), clock)).refused(millis)
            const callers = yield* Effect.withClock(come(gate, 3), clock)
            for (const caller of callers) {
              for (let look = 0; look < 100 && !caller.isIn(); look++) yield* pass(10)
              expect(caller.isIn(), `closed for ${millis} ms`).toBe(true)
              yield* caller.accepted
              yield* caller.leave
            }
          }
        })
      )
    }
  }

  it.effect("that shows whole tenths of a second: nobody sleeps on", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.map(
        Effect.clock,
        (clock): Clock.Clock =>
          Object.assign(Object.create(clock), {
            unsafeCurrentTimeNanos: () => (clock.unsafeCurrentTimeNanos() / 100_000_000n) * 100_000_000n
          })
      )
      const gate = yield* Effect.withClock(Gate.make(), clock)
      yield* (yield* Effect.withClock(comes(gate), clock)).refused(250)
      const caller = yield* Effect.withClock(comes(gate), clock)
      yield* pass(400)
      expect(caller.isIn()).toBe(true)
    })
  )
})

describe("a refusal without a moment", () => {
  it.effect("closes nothing: it shrinks the window to what was in flight and not refused", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const callers = yield* come(gate, 20)
      for (const caller of callers.slice(16)) yield* caller.refused()
      const later = yield* come(gate, 20)
      expect(whoIsIn(later)).toEqual([])
      yield* round(callers.slice(0, 16))
      expect(whoIsIn(later).length).toBe(16)
    })
  )

  it.effect("of the only one holds back nobody who comes next", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused()
      expect((yield* comes(gate)).isIn()).toBe(true)
    })
  )

  it.effect("once nothing is accepted any more, the line pauses, twice as long each time, for a second at most", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused()
      yield* (yield* comes(gate)).refused()
      for (const pause of [250, 500, 1000, 1000, 1000]) {
        const caller = yield* comes(gate)
        yield* pass(pause - 1)
        expect(caller.isIn()).toBe(false)
        yield* pass(1)
        expect(caller.isIn()).toBe(true)
        yield* caller.refused()
      }
    })
  )

  it.effect("and the only call there is waits for nothing but its own backoff", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const place = new Gate.Place(true)
      for (let attempt = 0; attempt < 5; attempt++) {
        const caller = yield* comes(gate, { place })
        expect(caller.isIn()).toBe(true)
        yield* caller.refused()
      }
    })
  )
})

describe("a request that has trouble of its own", () => {
  it.effect("closes the gate once: not again after others were accepted", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const place = new Gate.Place(true)
      yield* (yield* comes(gate, { place })).refused(59_000)
      yield* pass(59_000)
      const healthy = yield* comes(gate)
      yield* healthy.accepted
      yield* healthy.leave
      yield* (yield* comes(gate, { place })).refused(59_000)
      expect((yield* comes(gate)).isIn()).toBe(true)
    })
  )

  it.effect("but again as long as nobody was", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      const place = new Gate.Place(true)
      yield* (yield* comes(gate, { place })).refused(59_000)
      yield* pass(59_000)
      yield* (yield* comes(gate, { place })).refused(59_000)
      expect((yield* comes(gate)).isIn()).toBe(false)
    })
  )
})

describe("it forgets", () => {
  it.effect("what it was told, when it is opened: all who wait are let in at once", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make()
      yield* (yield* comes(gate)).refused(59_000)
      const callers = yield* come(gate, 64)
      expect(whoIsIn(callers)).toEqual([])
      gate.open()
      yield* settled
      expect(whoIsIn(callers).length).toBe(64)
    })
  )

  const shrunk = Effect.gen(function* () {
    const gate = yield* Gate.make()
    const callers = yield* come(gate, 3)
    yield* one(callers, 0).refused()
    yield* one(callers, 1).refused()
    yield* round(callers)
    return gate
  })

  it.effect("when nothing was in flight and a quiet minute has gone by", () =>
    Effect.gen(function* () {
      const gate = yield* shrunk
      yield* pass(minute + 1)
      expect(whoIsIn(yield* come(gate, 50)).length).toBe(50)
    })
  )

  it.effect("and not before", () =>
    Effect.gen(function* () {
      const gate = yield* shrunk
      yield* pass(minute)
      expect(whoIsIn(yield* come(gate, 50)).length).toBeLessThan(5)
    })
  )
})

/** What happens, and to whom or for how long. */
const move = FastCheck.tuple(
  FastCheck.constantFrom(
    ...["come", "come", "come", "come hastily", "leave", "accepted", "over"],
    ...["interrupt", "refused", "refused until", "refused for an hour", "come back", "wait", "open"]
  ),
  FastCheck.nat(99)
)

describe("whatever happens", () => {
  it.effect.prop(
    "no more are in than the bound, and whoever waits gets in in the end",
    { moves: FastCheck.array(move, { maxLength: 60 }), concurrency: FastCheck.integer({ min: 1, max: 5 }) },
    ({ concurrency, moves }) =>
      Effect.gen(function* () {
        const gate = yield* Gate.make({ concurrency })
        const callers: Array<Caller> = []
        const answered = new Set<Caller>()
        const over = new Set<Caller>()
        for (const [what, n] of moves) {
          const inside = callers.filter((caller) => caller.isIn())
          const chosen = inside[n % Math.max(1, inside.length)]
          if (what === "come") callers.push(yield* comes(gate, { stride: n % 3 === 0 ? 10 + (n % 11) : 2048 }))
          if (what === "come hastily") callers.push(yield* comes(gate, { coolsDown: false }))
          if (what === "come back")
            callers.push(yield* comes(gate, { place: callers[n % Math.max(1, callers.length)]?.place }))
          if (what === "open") gate.open()
          if (what === "wait") yield* TestClock.adjust(n * 10)
          if (what === "interrupt")
            yield* Fiber.interrupt(callers[n % Math.max(1, callers.length)]?.fiber ?? Fiber.void)
          if (chosen === undefined) continue
          if (what === "leave") yield* chosen.leave
          if (what === "accepted") yield* Effect.as(chosen.accepted, answered.add(chosen))
          if (what === "over") yield* Effect.as(chosen.over, over.add(chosen))
          if (what === "refused for an hour") yield* answered.has(chosen) ? chosen.leave : chosen.refused(3_600_000)
          if (what === "refused") yield* answered.has(chosen) ? chosen.leave : chosen.refused()
          if (what === "refused until") yield* answered.has(chosen) ? chosen.leave : chosen.refused(n * 10)
          yield* settled
          const open = callers.filter((caller) => caller.isIn() && !over.has(caller))
          expect(open.length).toBeLessThanOrEqual(concurrency)
        }
        // Nobody is refused any more: an hour is enough for all.
        const isOver = Effect.map(
          Effect.forEach(callers, ({ fiber }) => Fiber.poll(fiber)),
          (exits) => exits.every((exit) => exit._tag === "Some")
        )
        for (let i = 0; i < 60 && !(yield* isOver); i++) {
          yield* round(callers)
          if (!(yield* isOver)) yield* pass(minute)
        }
        yield* pass(minute + 1)
        for (const { fiber } of callers) expect((yield* Fiber.poll(fiber))._tag).toBe("Some")
        // And nothing is left of all that: as many as the bound walk in.
        expect(whoIsIn(yield* come(gate, concurrency + 1)).length).toBe(concurrency)
      }),
    { fastCheck: { numRuns: Effort.runs(15) }, timeout: 600_000 }
  )
})
