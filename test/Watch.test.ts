/** The one fiber that waits for all. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, TestClock } from "effect"
import * as Watch from "../src/Watch.js"

/** A clock that counts who sleeps by it. */
const counted = Effect.map(Effect.clock, (clock) => {
  const sleepers = { now: 0, ever: 0 }
  const lies = Effect.sync(() => {
    sleepers.now++
    sleepers.ever++
  })
  const wakes = Effect.sync(() => {
    sleepers.now--
  })
  const counting: Clock.Clock = {
    ...clock,
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
    sleep: (duration) =>
      Effect.acquireUseRelease(
        lies,
        () => clock.sleep(duration),
        () => wakes
      )
  }
  return { clock: counting, sleepers }
})

const settled = Effect.repeatN(Effect.yieldNow(), 50)

describe("the fiber of the watches", () => {
  it.effect("is one for all, and ends with the last", () =>
    Effect.gen(function* () {
      const { clock, sleepers } = yield* counted
      const watches = Watch.make(clock, 1000)
      const all = Array.from({ length: 50 }, () => new Watch.Watch(clock))
      yield* Effect.forEach(all, watches.begin, { concurrency: "unbounded" })
      yield* settled
      expect(sleepers).toEqual({ now: 1, ever: 1 })
      for (const watch of all) watches.end(watch)
      yield* settled
      expect(sleepers.now).toBe(0)
    })
  )

  for (const stride of [10, 11, 12, 13, 14, 15, 16, 17]) {
    it.effect(`is never left behind, though everyone yields after every ${stride} operations`, () =>
      Effect.gen(function* () {
        const { clock, sleepers } = yield* counted
        const watches = Watch.make(clock, 1000)
        const comeAndGo = Effect.gen(function* () {
          const watch = new Watch.Watch(clock)
          yield* watches.begin(watch)
          yield* Effect.yieldNow()
          watches.end(watch)
        })
        const many = Effect.forEach(Array.from({ length: 40 }), () => comeAndGo, { concurrency: 7, discard: true })
        yield* Effect.withMaxOpsBeforeYield(many, stride)
        yield* settled
        expect(sleepers.ever).toBeGreaterThan(0)
        expect(sleepers.now).toBe(0)
      })
    )
  }

  it.effect("tells each when it is due, to the millisecond, though the moment moves", () =>
    Effect.gen(function* () {
      const { clock } = yield* counted
      const watches = Watch.make(clock, 1000)
      const told: Array<readonly [name: string, at: number]> = []
      const [early, late] = [new Watch.Watch(clock), new Watch.Watch(clock)]
      let due = 1500
      early.over(
        () => due,
        () => told.push(["early", clock.unsafeCurrentTimeMillis()])
      )
      late.over(
        () => 5000,
        () => told.push(["late", clock.unsafeCurrentTimeMillis()])
      )
      yield* watches.begin(early)
      yield* watches.begin(late)
      yield* TestClock.adjust(1000)
      due = 2750
      yield* TestClock.adjust(10_000)
      expect(told).toEqual([
        ["early", 2750],
        ["late", 5000]
      ])
    })
  )
})
