/** The one fiber that waits for all. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Clock, Effect, Fiber, Logger, LogLevel, TestClock } from "effect"
import * as Watch from "../../src/answer/Watch.js"
import { settled } from "../Caller.js"
import * as Wall from "../Wall.js"

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
    unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
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
      early.arm(
        () => due,
        () => told.push(["early", clock.unsafeCurrentTimeMillis()])
      )
      late.arm(
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

  it.effect("what one's end throws is seen, and the others are told all the same", () =>
    Effect.gen(function* () {
      const { clock } = yield* counted
      const watches = Watch.make(clock, 1000)
      const told: Array<number> = []
      const [before, throwing, unsure, behind] = [
        new Watch.Watch(clock),
        new Watch.Watch(clock),
        new Watch.Watch(clock),
        new Watch.Watch(clock)
      ]
      throwing.arm(
        () => 1500,
        () => {
          throw new Error("the callback's own")
        }
      )
      unsure.arm(
        () => {
          throw new Error("the moment's own")
        },
        () => undefined
      )
      for (const [watch, due] of [
        [before, 2000],
        [behind, 5000]
      ] as const) {
        watch.arm(
          () => due,
          () => told.push(clock.unsafeCurrentTimeMillis())
        )
      }
      const seen: Array<string> = []
      const logger = Logger.make(({ cause }) => void (Cause.isEmpty(cause) || seen.push(Cause.pretty(cause))))
      yield* Effect.forEach([before, throwing, unsure, behind], watches.begin).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      yield* TestClock.adjust(10_000)
      expect(told).toEqual([2000, 5000])
      expect(seen.map((text) => /the \w+'s own/.exec(text)?.[0]).sort()).toEqual([
        "the callback's own",
        "the moment's own"
      ])
    })
  )

  it.effect("what one asks for at its end is done, though it was the last", () =>
    Effect.gen(function* () {
      const { clock, sleepers } = yield* counted
      const watches = Watch.make(clock, 1000)
      const watch = new Watch.Watch(clock)
      let done = false
      watch.arm(
        () => 1500,
        (fork) => {
          watches.end(watch)
          fork(
            Effect.sync(() => {
              done = true
            })
          )
        }
      )
      yield* watches.begin(watch)
      yield* TestClock.adjust(1500)
      yield* settled
      expect([done, sleepers.now]).toEqual([true, 0])
    })
  )

  it.effect("a wall clock that is set back by an hour lengthens no wait", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const wall = yield* Wall.make
      const watches = Watch.make(wall.clock, 1000)
      const watch = new Watch.Watch(wall.clock)
      const told: Array<number> = []
      const due = watch.now() + 1500
      watch.arm(
        () => due,
        () => told.push(clock.unsafeCurrentTimeMillis())
      )
      yield* watches.begin(watch)
      yield* TestClock.adjust(1000)
      wall.setBack(3_600_000)
      yield* TestClock.adjust(10_000)
      expect(told).toEqual([1500])
    })
  )

  it.effect("a moment nearer than the shortest wait is met by whoever wakes it", () =>
    Effect.gen(function* () {
      const { clock, sleepers } = yield* counted
      const watches = Watch.make(clock, 60_000)
      const [watch, other] = [new Watch.Watch(clock), new Watch.Watch(clock)]
      yield* watches.begin(watch)
      yield* watches.begin(other)
      yield* TestClock.adjust(5000)
      const told: Array<number> = []
      watch.arm(
        () => 6000,
        () => told.push(clock.unsafeCurrentTimeMillis())
      )
      watches.wake()
      watches.wake()
      yield* TestClock.adjust(10_000)
      expect(told).toEqual([6000])
      expect(sleepers.now).toBe(1)
      watches.end(watch)
      watches.end(other)
      yield* settled
      expect(sleepers.now).toBe(0)
    })
  )

  for (const stride of [10, 11, 12, 13, 14, 15, 16, 17, 2048]) {
    it.effect(`is one, and none is left behind, whoever is woken or ended when (stride ${stride})`, () =>
      Effect.gen(function* () {
        for (let steps = 0; steps < 40; steps++) {
          const { clock, sleepers } = yield* counted
          const watches = Watch.make(clock, 60_000)
          const watch = new Watch.Watch(clock)
          let told = 0
          const all = Effect.gen(function* () {
            yield* watches.begin(watch)
            yield* Effect.yieldNow()
            watch.arm(
              () => 0,
              () => {
                told += 1
              }
            )
            watches.wake()
          })
          const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(all, stride))
          yield* Effect.repeatN(Effect.yieldNow(), steps)
          watches.wake()
          yield* Fiber.join(fiber)
          yield* settled
          expect([told, sleepers.now], `after ${steps} steps`).toEqual([1, 1])
          watches.wake()
          watches.end(watch)
          yield* watches.begin(watch)
          watches.wake()
          yield* settled
          expect(sleepers.now, `after ${steps} steps`).toBe(1)
          watches.end(watch)
          watches.wake()
          yield* settled
          expect(sleepers.now, `after ${steps} steps`).toBe(0)
        }
      })
    )
  }
})
