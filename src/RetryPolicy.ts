/**
 * When a refused call is sent again: schedules over `ProviderError`.
 *
 * A policy is made of lanes. Each lane has its own errors and its own budget, and `when` ensures that an error of one
 * lane does not spend the budget of another.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import * as Interval from "effect/ScheduleInterval"
import * as Intervals from "effect/ScheduleIntervals"
import type * as ProviderError from "./ProviderError.js"

type Error = ProviderError.ProviderError

/**
 * What a provider takes: the known-good flag of its key in, a schedule out. A schedule is built for each call that has
 * failed, so nothing is kept from one call to the next.
 */
export type RetryPolicy = (knownGood: Ref.Ref<boolean>) => Schedule.Schedule<unknown, Error>

/** The numbers of `standard`. A provider's `policy` takes them as they are: `policy: { authRetries: 4 }`. */
export interface Options {
  /** The first backoff. Default 500 ms. Each further one is twice as long. */
  readonly base?: Duration.DurationInput | undefined
  /** The longest backoff, jitter not counted. Default 15 s. */
  readonly cap?: Duration.DurationInput | undefined
  /** Each backoff is lengthened by a random time below this, in whole milliseconds, from `Random`. Default 250 ms. */
  readonly jitter?: Duration.DurationInput | undefined
  /** How often an error that may pass is retried. Default 10. */
  readonly transientRetries?: number | undefined
  /** How often a refused key that is known good is retried. Default 2, so three requests. */
  readonly authRetries?: number | undefined
  /** If a server asks for a longer wait than this, the call fails at once with `retryAfter` set. Default 60 s. */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /**
   * Whether a request is sent again though the server may have taken it: the connection broke before an answer, or the
   * answer broke off before its first output. Such a server may finish the answer and charge for it, once for each try.
   * Default true: most of these requests never reached a model. With false, a request is sent again only if none of it
   * can have been written (the host was not found, or did not accept the connection), or if the server refused it.
   */
  readonly mayPayTwice?: boolean | undefined
}

/** The policy itself, or `standard` with these options. */
export const make = (policy: RetryPolicy | Options = {}): RetryPolicy =>
  typeof policy === "function" ? policy : (knownGood) => standard(knownGood, policy)

/**
 * The policy of every provider: `transient`, and `auth` while the key is known good, each with its own budget. A
 * known-good key that meets 503, 503, 401, 401 is still within both.
 *
 * @example
 * import { MiMo, RetryPolicy } from "knowngood"
 *
 * const layer = MiMo.layerConfig({
 *   region: "sgp",
 *   policy: (knownGood) => RetryPolicy.standard(knownGood, { authRetries: 4 })
 * })
 */
export const standard = (knownGood: Ref.Ref<boolean>, options?: Options): Schedule.Schedule<unknown, Error> =>
  Schedule.union(transient(options), auth(knownGood, options))

/** Retries what may pass, and nothing else. */
export const transient = (options?: Options): Schedule.Schedule<unknown, Error> =>
  when(
    (error) => isTransient(error) && (options?.mayPayTwice !== false || !mayHaveBeenTaken(error)),
    lane(options?.transientRetries ?? 10, options)
  )

/** Retries a refused key, only while it is known good. The flag is read at each decision. */
export const auth = (knownGood: Ref.Ref<boolean>, options?: Options): Schedule.Schedule<unknown, Error> =>
  when(
    (error) => (isAuthRejected(error) ? Ref.get(knownGood) : Effect.succeed(false)),
    lane(options?.authRetries ?? 2, options)
  )

/** Never again: `policy: () => RetryPolicy.none`. */
export const none: Schedule.Schedule<unknown, Error> = Schedule.stop

/**
 * The schedule, stepped only for the inputs that pass the test, so that all others leave its `recurs` and its backoff
 * alone. (`Schedule.whileInput` in a `Schedule.union` steps on every input.) It puts out `undefined` for an
 * input that does not pass.
 *
 * The schedule follows the test, or is piped into it: `Schedule.recurs(3).pipe(RetryPolicy.when(test))`.
 *
 * @example
 * import { Schedule } from "effect"
 * import { RetryPolicy } from "knowngood"
 *
 * const policy: RetryPolicy.RetryPolicy = (knownGood) =>
 *   Schedule.union(
 *     RetryPolicy.when(RetryPolicy.isTransient, Schedule.recurs(3)),
 *     RetryPolicy.auth(knownGood, { authRetries: 1 })
 *   )
 */
export function when<In, R2 = never>(
  test: Test<In, R2>
): <Out, R>(schedule: Schedule.Schedule<Out, In, R>) => Schedule.Schedule<Out | undefined, In, R | R2>
export function when<In, Out, R = never, R2 = never>(
  test: Test<In, R2>,
  schedule: Schedule.Schedule<Out, In, R>
): Schedule.Schedule<Out | undefined, In, R | R2>
export function when<In, Out, R, R2>(test: Test<In, R2>, schedule?: Schedule.Schedule<Out, In, R>) {
  const steppedBy = <Out, R>(schedule: Schedule.Schedule<Out, In, R>) =>
    Schedule.makeWithState(schedule.initial, (now, input: In, state) => {
      const isOwn = test(input)
      return Effect.flatMap(Effect.isEffect(isOwn) ? isOwn : Effect.succeed(isOwn), (yes) =>
        yes
          ? schedule.step(now, input, state)
          : Effect.succeed([state, undefined as Out | undefined, Decision.done] as const)
      )
    })
  return schedule === undefined ? steppedBy : steppedBy(schedule)
}

/** Whether an input is one of the schedule's own. */
type Test<In, R> = (input: In) => boolean | Effect.Effect<boolean, never, R>

/**
 * Gives up before a wait that would end later than `budget` after the first failure. (`Schedule.upTo` checks only after
 * the wait.)
 *
 * @example
 * import { RetryPolicy } from "knowngood"
 *
 * const policy: RetryPolicy.RetryPolicy = (knownGood) =>
 *   RetryPolicy.standard(knownGood).pipe(RetryPolicy.within("2 minutes"))
 */
export const within: {
  (
    budget: Duration.DurationInput
  ): <Out, In, R>(schedule: Schedule.Schedule<Out, In, R>) => Schedule.Schedule<Out, In, R>
  <Out, In, R>(schedule: Schedule.Schedule<Out, In, R>, budget: Duration.DurationInput): Schedule.Schedule<Out, In, R>
} = dual(2, <Out, In, R>(schedule: Schedule.Schedule<Out, In, R>, budget: Duration.DurationInput) => {
  const millis = Duration.toMillis(budget)
  return Schedule.makeWithState(
    { start: Option.none<number>(), inner: schedule.initial },
    (now, input: In, { start, inner }) => {
      const began = Option.getOrElse(start, () => now)
      return Effect.map(schedule.step(now, input, inner), ([next, out, decision]) => [
        { start: Option.some(began), inner: next },
        out,
        resumesAt(decision) > began + millis ? Decision.done : decision
      ])
    }
  )
})

/**
 * A retry that has been decided on.
 *
 * @internal
 */
export interface Retry<E = Error> {
  /** Why: the error that is being retried. */
  readonly error: E
  /** Which retry of its lane this is, from 1; where the schedule has no lanes, of its call. */
  readonly attempt: number
  /** How many retries the lane allows, if the schedule says so. */
  readonly budget: number | undefined
  /** The wait before it. */
  readonly delay: Duration.Duration
}

/**
 * Calls `notify` with each retry before its wait begins.
 *
 * @internal
 */
export const observed = <E, R>(
  schedule: Schedule.Schedule<unknown, E, R>,
  notify: (retry: Retry<E>) => Effect.Effect<void>
): Schedule.Schedule<unknown, E, R> =>
  Schedule.makeWithState({ retries: 1, inner: schedule.initial }, (now, error: E, { inner, retries }) =>
    Effect.flatMap(schedule.step(now, error, inner), ([next, out, decision]) => {
      const stepped = [{ retries: retries + 1, inner: next }, out, decision] as const
      if (!Decision.isContinue(decision)) return Effect.succeed(stepped)
      const { attempt, budget } = stepIn(out) ?? { attempt: retries, budget: undefined }
      const delay = Duration.millis(Math.max(0, resumesAt(decision) - now))
      return Effect.as(notify({ error, attempt, budget, delay }), stepped)
    })
  )

/**
 * `Effect.retry` for an effect that has failed once already: the schedule decides whether it is run again.
 *
 * @internal
 */
export const goOn = <A, E, R, R2>(
  self: Effect.Effect<A, E, R>,
  failure: E,
  schedule: Schedule.Schedule<unknown, E, R2>
): Effect.Effect<A, E, R | R2> =>
  Effect.flatMap(Schedule.driver(schedule), (driver) => {
    const next = (error: E): Effect.Effect<A, E, R | R2> =>
      Effect.matchEffect(driver.next(error), {
        onFailure: () => Effect.fail(error),
        onSuccess: () => Effect.catchAll(self, next)
      })
    return next(failure)
  })

/** What a lane puts out: which of its retries this is, from 1, and how many it allows. */
class Step {
  constructor(
    readonly attempt: number,
    readonly budget: number
  ) {}
}

/** The step in a policy's output, however the policy was composed: a union puts out a pair. */
const stepIn = (output: unknown): Step | undefined =>
  output instanceof Step
    ? output
    : Array.isArray(output)
      ? output.map(stepIn).find((step) => step !== undefined)
      : undefined

/** The error may pass, and the server did not forbid a retry. */
export const isTransient = (error: Error): error is ProviderError.Transient =>
  error._tag === "Transient" && error.shouldRetry !== false

/** The key was refused, and the server did not forbid a retry. */
export const isAuthRejected = (error: Error): error is ProviderError.AuthRejected =>
  error._tag === "AuthRejected" && error.shouldRetry !== false

/**
 * Whether the server may have taken the request, so that a model is at work on it though nobody will read the answer. A
 * failure with a status is the server's own refusal; but a stream that broke off had been taken.
 */
export const mayHaveBeenTaken = ({ code, reason, status }: ProviderError.Transient): boolean =>
  reason === "StreamInterrupted" ||
  reason === "StreamStalled" ||
  ((reason === "Unreachable" || reason === "TimedOut") && status === undefined && !unwritten.has(code ?? ""))

/**
 * The system's codes for a connection that was never made, so that nothing was written: Node's (getaddrinfo and
 * connect), undici's and Bun's. `ETIMEDOUT` and `EHOSTUNREACH` are not among them: an established connection can end
 * with them.
 */
const unwritten: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "ECONNREFUSED",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
  "FailedToOpenSocket"
])

const lane = (budget: number, options: Options | undefined): Schedule.Schedule<unknown, Error> => {
  const maxRetryAfter = Duration.toMillis(options?.maxRetryAfter ?? "60 seconds")
  return Schedule.makeWithState(1, (now, error: Error, attempt) => {
    const asked = retryAfter(error)
    const step = new Step(attempt, budget)
    // Not `attempt > budget`: a budget that is not a number would then have no end.
    if (!(attempt <= budget) || asked > maxRetryAfter) return Effect.succeed([attempt, step, Decision.done])
    // No jitter on what the server asked for: the retry must not come sooner, and need not come later.
    const delay = asked > 0 ? Effect.succeed(asked) : backoff(attempt, options)
    return Effect.map(delay, (millis) => [attempt + 1, step, Decision.continueWith(Interval.after(now + millis))])
  })
}

const backoff = (attempt: number, options: Options | undefined): Effect.Effect<number> => {
  const base = Duration.toMillis(options?.base ?? 500)
  const cap = Duration.toMillis(options?.cap ?? "15 seconds")
  const jitter = Duration.toMillis(options?.jitter ?? 250)
  const delay = Math.min(cap, base * 2 ** (attempt - 1))
  return jitter < 1 ? Effect.succeed(delay) : Effect.map(Random.nextIntBetween(0, jitter), (extra) => delay + extra)
}

const retryAfter = (error: Error): number =>
  "retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : 0

const resumesAt = (decision: Decision.ScheduleDecision): number =>
  Decision.isContinue(decision) ? Intervals.start(decision.intervals) : Number.NEGATIVE_INFINITY
