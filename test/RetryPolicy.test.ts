/** The schedules of retries, stepped by hand: which errors they retry, how often, and after which waits. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Option, Random, Ref, Schedule, ScheduleDecision, ScheduleIntervals, TestClock } from "effect"
import * as FastCheck from "effect/FastCheck"
import * as ProviderError from "../src/ProviderError.js"
import * as RetryPolicy from "../src/RetryPolicy.js"

type Error = ProviderError.ProviderError

const facts: ProviderError.Facts = { provider: "p", attempts: 1, history: [], emitted: false }

const failed = (more: Partial<ConstructorParameters<typeof ProviderError.Transient>[0]> = {}): Error =>
  new ProviderError.Transient({ ...facts, reason: "ServerError", ...more })
const refused = (more: Partial<ProviderError.Facts> = {}): Error =>
  new ProviderError.AuthRejected({ ...facts, source: "KEY", fingerprint: "00000000", knownGood: true, ...more })
const asking = (wait: Duration.DurationInput): Error => failed({ retryAfter: Duration.decode(wait) })

const others: ReadonlyArray<Error> = [
  new ProviderError.AuthMissing({ ...facts, source: "KEY", problem: "Absent" }),
  new ProviderError.QuotaExceeded(facts),
  new ProviderError.InvalidRequest({ ...facts, reason: "BadRequest" }),
  new ProviderError.InvalidResponse({ ...facts, reason: "Empty" })
]

const times = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

type Wait = number | "stop"

interface Step {
  readonly output: unknown
  readonly wait: Wait
}

/** Steps a schedule with these inputs, each at the end of the wait before it. */
const steps = <Out, In, R>(
  schedule: Schedule.Schedule<Out, In, R>,
  inputs: ReadonlyArray<In>
): Effect.Effect<ReadonlyArray<Step>, never, R> =>
  Effect.gen(function* () {
    const steps: Array<Step> = []
    let state: unknown = schedule.initial
    let now = 0
    for (const input of inputs) {
      const [next, output, decision] = yield* schedule.step(now, input, state)
      const resumes = ScheduleDecision.isContinue(decision) ? ScheduleIntervals.start(decision.intervals) : undefined
      steps.push({ output, wait: resumes === undefined ? "stop" : Math.max(0, resumes - now) })
      if (resumes === undefined) break
      state = next
      now = Math.max(now, resumes)
    }
    return steps
  })

/** The waits in milliseconds; "stop" where the schedule gives up. */
const waits = <Out, In, R>(schedule: Schedule.Schedule<Out, In, R>, inputs: ReadonlyArray<In>) =>
  Effect.map(steps(schedule, inputs), (steps) => steps.map((step) => step.wait))

/** A policy with this value of the flag, without jitter. */
const withFlag = (knownGood: boolean, options?: RetryPolicy.Options) =>
  Effect.map(Ref.make(knownGood), (flag) => RetryPolicy.standard(flag, { jitter: 0, ...options }))

const plain: RetryPolicy.Options = { jitter: 0 }

describe("when", () => {
  const isEven = (n: number) => n % 2 === 0

  it.effect("steps its schedule for its own inputs and for no others", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const inner = Schedule.tapInput(Schedule.recurs(9), (n: number) => Effect.sync(() => seen.push(n)))
      const union = Schedule.union(RetryPolicy.when(isEven, inner), Schedule.recurs(9))
      yield* waits(union, [2, 1, 4, 3, 5, 6])
      expect(seen).toEqual([2, 4, 6])
    })
  )

  it.effect("stops at an input that is not its own, and continues where it was", () =>
    Effect.gen(function* () {
      const schedule = RetryPolicy.when(isEven, Schedule.exponential("1 second"))
      expect(yield* waits(schedule, [2, 4, 3])).toEqual([1000, 2000, "stop"])
      const union = Schedule.union(
        schedule,
        RetryPolicy.when((n: number) => !isEven(n), Schedule.spaced("10 millis"))
      )
      expect(yield* waits(union, [2, 1, 1, 4, 1, 6])).toEqual([1000, 10, 10, 2000, 10, 4000])
    })
  )

  it.effect("lets only its own errors spend a budget, where whileInput lets any error spend both", () =>
    Effect.gen(function* () {
      const lane = Schedule.recurs(2)
      const inputs = [2, 4, 1, 3]
      const withWhen = Schedule.union(
        RetryPolicy.when(isEven, lane),
        RetryPolicy.when((n: number) => !isEven(n), lane)
      )
      const withWhileInput = Schedule.union(
        Schedule.whileInput(lane, isEven),
        Schedule.whileInput(lane, (n: number) => !isEven(n))
      )
      expect(yield* waits(withWhen, inputs)).toEqual([0, 0, 0, 0])
      expect(yield* waits(withWhileInput, inputs)).toEqual([0, 0, "stop"])
    })
  )

  it.effect("runs an effectful test again for every input", () =>
    Effect.gen(function* () {
      const open = yield* Ref.make(true)
      const schedule = RetryPolicy.when((_: number) => Ref.get(open), Schedule.recurs(9))
      expect(yield* waits(schedule, [1])).toEqual([0])
      yield* Ref.set(open, false)
      expect(yield* waits(schedule, [1])).toEqual(["stop"])
    })
  )
})

describe("transient", () => {
  it.effect("10 retries, doubling from 500 ms to 15 s, and no more", () =>
    Effect.gen(function* () {
      expect(yield* waits(RetryPolicy.transient(plain), times(12, failed()))).toEqual([
        500,
        1000,
        2000,
        4000,
        8000,
        15_000,
        15_000,
        15_000,
        15_000,
        15_000,
        "stop"
      ])
    })
  )

  it.effect("every reason is retried", () =>
    Effect.gen(function* () {
      for (const reason of ProviderError.TransientReason.literals) {
        expect(yield* waits(RetryPolicy.transient(plain), [failed({ reason })])).toEqual([500])
      }
    })
  )

  it.effect("no other error is retried", () =>
    Effect.gen(function* () {
      for (const error of [...others, refused()]) {
        expect(yield* waits(RetryPolicy.transient(plain), [error])).toEqual(["stop"])
      }
    })
  )

  it.effect("x-should-retry: false is obeyed", () =>
    Effect.gen(function* () {
      expect(yield* waits(RetryPolicy.transient(plain), [failed({ shouldRetry: false })])).toEqual(["stop"])
      expect(yield* waits(RetryPolicy.transient(plain), [failed({ shouldRetry: true })])).toEqual([500])
    })
  )

  it.effect("base, cap and number of retries can be changed", () =>
    Effect.gen(function* () {
      const options = { jitter: 0, base: "10 millis", cap: "30 millis", transientRetries: 4 } as const
      expect(yield* waits(RetryPolicy.transient(options), times(6, failed()))).toEqual([10, 20, 30, 30, "stop"])
      expect(yield* waits(RetryPolicy.transient({ transientRetries: 0 }), [failed()])).toEqual(["stop"])
    })
  )
})

describe("mayPayTwice: false", () => {
  const policy = RetryPolicy.transient({ jitter: 0, mayPayTwice: false })

  for (const [name, error, repeats] of [
    ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ConnectionRefused"].map(
      (code) => [`${code}: nothing was written`, failed({ reason: "Unreachable", code }), true] as const
    ),
    [
      "UND_ERR_CONNECT_TIMEOUT: nothing was written",
      failed({ reason: "TimedOut", code: "UND_ERR_CONNECT_TIMEOUT" }),
      true
    ],
    ...["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "EHOSTUNREACH", "Transport", undefined].map(
      (code) => [`${code}: it may have been`, failed({ reason: "Unreachable", code }), false] as const
    ),
    ["ETIMEDOUT: it may have been", failed({ reason: "TimedOut", code: "ETIMEDOUT" }), false],
    ["no headers in time: it was", failed({ reason: "TimedOut", clock: "headers" }), false],
    ["a stream that broke before any output", failed({ reason: "StreamInterrupted", status: 200 }), false],
    ["a stream that stalled before any output", failed({ reason: "StreamStalled", status: 200, clock: "idle" }), false],
    ["503: the server's own word", failed({ reason: "Overloaded", status: 503 }), true],
    ["504: the server's own word", failed({ reason: "TimedOut", status: 504 }), true],
    ["an error inside the 200", failed({ reason: "Overloaded", status: 200 }), true]
  ] as const) {
    it.effect(`${name}: ${repeats ? "again" : "never again"}`, () =>
      Effect.gen(function* () {
        expect(yield* waits(policy, [error])).toEqual([repeats ? 500 : "stop"])
        expect(yield* waits(RetryPolicy.transient({ jitter: 0 }), [error])).toEqual([500])
      })
    )
  }

  it.effect("changes neither the auth budget nor the rest of the transient one", () =>
    Effect.gen(function* () {
      const standard = yield* withFlag(true, { mayPayTwice: false })
      const inputs = [
        failed({ status: 503 }),
        refused(),
        failed({ reason: "Unreachable", code: "ECONNREFUSED" }),
        refused(),
        failed({ reason: "Unreachable", code: "ECONNRESET" })
      ]
      expect(yield* waits(standard, inputs)).toEqual([500, 500, 1000, 1000, "stop"])
    })
  )
})

describe("auth", () => {
  it.effect("2 retries while the key is known good", () =>
    Effect.gen(function* () {
      const policy = RetryPolicy.auth(yield* Ref.make(true), plain)
      expect(yield* waits(policy, times(4, refused()))).toEqual([500, 1000, "stop"])
    })
  )

  it.effect("no retry while it is not", () =>
    Effect.gen(function* () {
      expect(yield* waits(RetryPolicy.auth(yield* Ref.make(false), plain), [refused()])).toEqual(["stop"])
    })
  )

  it.effect("the flag is read when the decision is made, whatever the error says of it", () =>
    Effect.gen(function* () {
      const flag = yield* Ref.make(false)
      const policy = RetryPolicy.auth(flag, plain)
      yield* Ref.set(flag, true)
      const error = new ProviderError.AuthRejected({ ...facts, source: "KEY", fingerprint: "0", knownGood: false })
      expect(yield* waits(policy, [error])).toEqual([500])
      yield* Ref.set(flag, false)
      expect(yield* waits(policy, [refused()])).toEqual(["stop"])
    })
  )

  it.effect("x-should-retry: false is obeyed, and no other error is retried", () =>
    Effect.gen(function* () {
      const policy = RetryPolicy.auth(yield* Ref.make(true), plain)
      for (const error of [...others, failed(), refused({ shouldRetry: false })]) {
        expect(yield* waits(policy, [error])).toEqual(["stop"])
      }
    })
  )

  it.effect("the number of retries can be changed", () =>
    Effect.gen(function* () {
      const policy = RetryPolicy.auth(yield* Ref.make(true), { jitter: 0, authRetries: 1 })
      expect(yield* waits(policy, times(3, refused()))).toEqual([500, "stop"])
    })
  )
})

describe("standard", () => {
  it.effect("503, 503, 401, 401 on a known-good key is within both budgets, each with its own backoff", () =>
    Effect.gen(function* () {
      const errors = [failed(), failed(), refused(), refused()]
      expect(yield* waits(yield* withFlag(true), errors)).toEqual([500, 1000, 500, 1000])
      expect(yield* waits(yield* withFlag(false), errors)).toEqual([500, 1000, "stop"])
    })
  )

  it.effect("10 and 2 retries, in any order", () =>
    Effect.gen(function* () {
      const mixed = [refused(), ...times(5, failed()), refused(), ...times(5, failed())]
      expect(yield* waits(yield* withFlag(true), mixed)).not.toContain("stop")
      expect((yield* waits(yield* withFlag(true), [...mixed, refused()])).at(-1)).toBe("stop")
      expect((yield* waits(yield* withFlag(true), [...mixed, failed()])).at(-1)).toBe("stop")
    })
  )

  it.effect("nothing else is retried", () =>
    Effect.gen(function* () {
      for (const error of others) expect(yield* waits(yield* withFlag(true), [error])).toEqual(["stop"])
    })
  )

  it.effect("each call counts from zero", () =>
    Effect.gen(function* () {
      const policy = yield* withFlag(true)
      const once = yield* waits(policy, times(12, failed()))
      expect(yield* waits(policy, times(12, failed()))).toEqual(once)
    })
  )

  it.effect("waits on the clock, through Effect.retry", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const call = Effect.gen(function* () {
        started.push(yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis()))
        if (started.length < 4) yield* Effect.fail(failed())
      })
      const fiber = yield* Effect.fork(Effect.retry(call, yield* withFlag(false)))
      yield* TestClock.adjust("1 minute")
      yield* fiber.await
      expect(started).toEqual([0, 500, 1500, 3500])
    })
  )
})

describe("none", () => {
  it.effect("retries nothing", () =>
    Effect.gen(function* () {
      for (const error of [failed(), refused(), ...others]) {
        expect(yield* waits(RetryPolicy.none, [error])).toEqual(["stop"])
      }
    })
  )
})

describe("the wait that the server asks for", () => {
  it.effect("is kept exactly, without jitter, however short or long (V1, V2)", () =>
    Effect.gen(function* () {
      for (const wait of [1, 100, 499, 7000, 59_999]) {
        expect(yield* waits(RetryPolicy.transient(), [asking(wait)])).toEqual([wait])
      }
    }).pipe(Effect.withRandom(Random.fixed([249])))
  )

  it.effect("counts as a retry, and the backoff continues after it", () =>
    Effect.gen(function* () {
      const errors = [failed(), asking("3 seconds"), failed()]
      expect(yield* waits(RetryPolicy.transient(plain), errors)).toEqual([500, 3000, 2000])
      const policy = RetryPolicy.transient({ ...plain, transientRetries: 2 })
      expect(yield* waits(policy, times(3, asking("1 second")))).toEqual([1000, 1000, "stop"])
    })
  )

  it.effect("is kept if it is 60 seconds, but not if it is one millisecond more", () =>
    Effect.gen(function* () {
      expect(yield* waits(RetryPolicy.transient(), [asking(60_000)])).toEqual([60_000])
      expect(yield* waits(RetryPolicy.transient(), [asking(60_001)])).toEqual(["stop"])
      expect(yield* waits(RetryPolicy.transient(), [asking("1 hour")])).toEqual(["stop"])
    })
  )

  it.effect("has a limit that can be changed", () =>
    Effect.gen(function* () {
      const policy = RetryPolicy.transient({ maxRetryAfter: "5 minutes" })
      expect(yield* waits(policy, [asking("5 minutes")])).toEqual([300_000])
      expect(yield* waits(policy, [asking(300_001)])).toEqual(["stop"])
    })
  )

  it.effect("may be longer than the cap of the backoff", () =>
    Effect.gen(function* () {
      expect(yield* waits(RetryPolicy.transient({ cap: "1 second" }), [asking("30 seconds")])).toEqual([30_000])
    })
  )
})

describe("jitter", () => {
  it.effect.prop(
    "adds 0 to 249 whole milliseconds to each backoff, whatever the seed",
    [FastCheck.string(), FastCheck.integer({ min: 1, max: 10 })],
    ([seed, retries]) =>
      Effect.gen(function* () {
        const errors = times(retries, failed())
        const without = yield* waits(RetryPolicy.transient(plain), errors)
        const jittered = yield* waits(RetryPolicy.transient(), errors).pipe(Effect.withRandom(Random.make(seed)))
        for (const [i, wait] of jittered.entries()) {
          const added = Number(wait) - Number(without[i])
          expect(Number.isInteger(added) && added >= 0 && added <= 249).toBe(true)
        }
      })
  )

  it.effect("reaches both ends", () =>
    Effect.gen(function* () {
      const first = Effect.map(waits(RetryPolicy.transient(), [failed()]), ([wait]) => Number(wait) - 500)
      const added = yield* Effect.replicateEffect(first, 5000)
      expect([Math.min(...added), Math.max(...added)]).toEqual([0, 249])
    }).pipe(Effect.withRandom(Random.make("both ends")))
  )

  it.effect("is added to the cap, and can be changed", () =>
    Effect.gen(function* () {
      const policy = RetryPolicy.transient({ cap: "1 second", jitter: "10 millis" })
      expect(yield* waits(policy, times(3, failed()))).toEqual([509, 1009, 1009])
    }).pipe(Effect.withRandom(Random.fixed([9])))
  )
})

describe("within", () => {
  it.effect("gives up before a wait that would end after the budget, not before one that ends with it", () =>
    Effect.gen(function* () {
      const policy = (budget: number) => RetryPolicy.transient(plain).pipe(RetryPolicy.within(budget))
      // The waits end at 500, 1500 and 3500 ms.
      expect(yield* waits(policy(3500), times(5, failed()))).toEqual([500, 1000, 2000, "stop"])
      expect(yield* waits(policy(3499), times(5, failed()))).toEqual([500, 1000, "stop"])
      expect(yield* waits(policy(0), [failed()])).toEqual(["stop"])
    })
  )

  it.effect("does not overshoot as Schedule.upTo does, which looks only after the wait", () =>
    Effect.gen(function* () {
      const total = (waits: ReadonlyArray<Wait>) => waits.reduce<number>((sum, wait) => sum + (Number(wait) || 0), 0)
      const errors = times(12, failed())
      const within = yield* waits(RetryPolicy.transient(plain).pipe(RetryPolicy.within("3 seconds")), errors)
      const upTo = yield* waits(RetryPolicy.transient(plain).pipe(Schedule.upTo("3 seconds")), errors)
      expect(total(within)).toBeLessThanOrEqual(3000)
      expect(total(upTo)).toBeGreaterThan(3000)
    })
  )

  it.effect("counts from the first failure, not from the epoch", () =>
    Effect.gen(function* () {
      const schedule = RetryPolicy.within("1 second")(RetryPolicy.transient(plain))
      const [state, , first] = yield* schedule.step(5_000_000, failed(), schedule.initial)
      expect(ScheduleDecision.isContinue(first)).toBe(true)
      const [, , second] = yield* schedule.step(5_000_600, failed(), state)
      expect(ScheduleDecision.isDone(second)).toBe(true)
    })
  )

  it.effect("does not prolong a schedule that stops by itself", () =>
    Effect.gen(function* () {
      const policy = RetryPolicy.within("1 hour")(RetryPolicy.transient({ ...plain, transientRetries: 1 }))
      expect(yield* waits(policy, times(3, failed()))).toEqual([500, "stop"])
    })
  )
})

/** What an observer is told if these are the errors. */
const told = <R>(schedule: Schedule.Schedule<unknown, Error, R>, errors: ReadonlyArray<Error>) =>
  Effect.gen(function* () {
    const retries: Array<RetryPolicy.Retry> = []
    yield* steps(
      RetryPolicy.observed(schedule, (retry) => Effect.sync(() => retries.push(retry))),
      errors
    )
    return retries
  })

describe("observed", () => {
  const counts = <R>(schedule: Schedule.Schedule<unknown, Error, R>, errors: ReadonlyArray<Error>) =>
    Effect.map(told(schedule, errors), (retries) => retries.map(({ attempt, budget }) => [attempt, budget]))

  it.effect("says which retry this is in its lane, and of how many", () =>
    Effect.gen(function* () {
      const errors = [failed(), refused(), failed(), refused()]
      expect(yield* counts(yield* withFlag(true), errors)).toEqual([
        [1, 10],
        [1, 2],
        [2, 10],
        [2, 2]
      ])
    })
  )

  it.effect("says so, however the policy is composed", () =>
    Effect.gen(function* () {
      const standard = yield* withFlag(true, { authRetries: 5 })
      for (const composed of [
        RetryPolicy.within("1 hour")(standard),
        Schedule.intersect(standard, Schedule.recurs(9)),
        Schedule.intersect(Schedule.elapsed, Schedule.union(Schedule.stop, standard)),
        RetryPolicy.observed(standard, () => Effect.void)
      ]) {
        expect(yield* counts(composed, [refused(), failed()])).toEqual([
          [1, 5],
          [1, 10]
        ])
      }
    })
  )

  it.effect("counts the retries of a foreign schedule itself, without a budget", () =>
    Effect.gen(function* () {
      for (const output of [undefined, null, 3, "x", {}, [], [1, [undefined]], { attempt: 7, budget: 2 }]) {
        const schedule = Schedule.as(Schedule.recurs(3), output)
        expect(yield* counts(schedule, times(4, failed()))).toEqual([
          [1, undefined],
          [2, undefined],
          [3, undefined]
        ])
      }
    })
  )

  it.effect("reports each retry and its wait, but not giving up", () =>
    Effect.gen(function* () {
      const errors = times(3, failed())
      const retries = yield* told(RetryPolicy.transient({ ...plain, transientRetries: 2 }), errors)
      expect(retries).toEqual([
        { error: errors[0], attempt: 1, budget: 2, delay: Duration.millis(500) },
        { error: errors[1], attempt: 2, budget: 2, delay: Duration.seconds(1) }
      ])
    })
  )

  it.effect("reports before the wait begins", () =>
    Effect.gen(function* () {
      const told = yield* Ref.make(false)
      const schedule = RetryPolicy.observed(Schedule.spaced("1 minute"), () => Ref.set(told, true))
      const driver = yield* Schedule.driver(schedule)
      const fiber = yield* Effect.fork(driver.next(undefined))
      yield* TestClock.adjust("1 millis")
      expect(yield* Ref.get(told)).toBe(true)
      expect(Option.isNone(yield* fiber.poll)).toBe(true)
      yield* TestClock.adjust("1 minute")
      yield* fiber.await
    })
  )

  it.effect("changes neither waits nor outputs", () =>
    Effect.gen(function* () {
      const bare = RetryPolicy.transient(plain)
      const errors = times(12, failed())
      expect(
        yield* steps(
          RetryPolicy.observed(bare, () => Effect.void),
          errors
        )
      ).toEqual(yield* steps(bare, errors))
    })
  )
})

describe("a policy", () => {
  it.effect("can be a policy, options of the standard one, or left out", () =>
    Effect.gen(function* () {
      const flag = yield* Ref.make(true)
      const retries = (policy?: RetryPolicy.RetryPolicy | RetryPolicy.Options) =>
        Effect.map(waits(RetryPolicy.make(policy)(flag), times(12, refused())), ({ length }) => length - 1)
      expect(yield* retries()).toBe(2)
      expect(yield* retries({})).toBe(2)
      expect(yield* retries({ authRetries: 4 })).toBe(4)
      expect(yield* retries(() => Schedule.recurs(7))).toBe(7)
      expect(yield* retries(() => RetryPolicy.none)).toBe(0)
    })
  )

  for (const count of [Number.NaN, -1, 0, 0.5]) {
    it.effect(`with a budget of ${count} retries nothing`, () =>
      Effect.gen(function* () {
        const policy = yield* withFlag(true, { transientRetries: count, authRetries: count })
        expect(yield* waits(policy, times(3, failed()))).toEqual(["stop"])
        expect(yield* waits(policy, times(3, refused()))).toEqual(["stop"])
      })
    )
  }
})

describe("a combinator", () => {
  it.effect("takes its schedule as an argument, or through a pipe", () =>
    Effect.gen(function* () {
      const isEven = (n: number) => n % 2 === 0
      const inputs = [2, 4, 3]
      expect(yield* waits(Schedule.spaced("1 second").pipe(RetryPolicy.when(isEven)), inputs)).toEqual(
        yield* waits(RetryPolicy.when(isEven, Schedule.spaced("1 second")), inputs)
      )
      const transient = RetryPolicy.transient(plain)
      const errors = times(5, failed())
      expect(yield* waits(RetryPolicy.within(transient, "2 seconds"), errors)).toEqual([500, 1000, "stop"])
      expect(yield* waits(transient.pipe(RetryPolicy.within("2 seconds")), errors)).toEqual([500, 1000, "stop"])
    })
  )
})
