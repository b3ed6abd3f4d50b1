/**
 * When a refused call is sent again: schedules over `ProviderError`.
 *
 * A policy is made of lanes. Each lane has its own errors and its own budget, and `when` ensures that an error of one
 * lane does not spend the budget of another.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import * as Interval from "effect/ScheduleInterval"
import * as Intervals from "effect/ScheduleIntervals"
import type * as ProviderError from "./ProviderError.js"

type Error = ProviderError.ProviderError

/** What a provider takes: the known-good flag of its key in, a schedule out. */
export type RetryPolicy = (knownGood: Ref.Ref<boolean>) => Schedule.Schedule<unknown, Error>

export interface Options {
  /** The first backoff. Default 500 ms. Each further one is twice as long. */
  readonly base?: Duration.DurationInput | undefined
  /** The longest backoff, jitter not counted. Default 15 s. */
  readonly cap?: Duration.DurationInput | undefined
  /** Each backoff is lengthened by a random time below this, in whole milliseconds, from `Random`. Default 250 ms. */
  readonly jitter?: Duration.DurationInput | undefined
  /** Default 10. */
  readonly transientRetries?: number | undefined
  /** Default 2, so three requests. */
  readonly authRetries?: number | undefined
  /** If a server asks for a longer wait than this, the call fails at once with `retryAfter` set. Default 60 s. */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /**
   * Whether a request is sent again though the server may have taken it: the connection broke before an answer, or the
   * answer broke off before its first output. Such a server may go on to the end and charge for it, once for each try.
   * Default true: most of these never reached a model. With false, a request is sent again only if nothing of it can
   * have been written (the host was not found, or did not take the connection), or if the server itself refused it.
   */
  readonly mayPayTwice?: boolean | undefined
}

/** What a lane puts out: which of its retries this is, from 1, and how many it allows. */
export class Retry {
  constructor(
    readonly attempt: number,
    readonly budget: number | undefined
  ) {}
}

/**
 * The policy of every provider: `transient`, and `auth` while the key is known good, each with its own budget. A
 * known-good key that meets 503, 503, 401, 401 is still within both.
 */
export const standard = (knownGood: Ref.Ref<boolean>, options?: Options): Schedule.Schedule<unknown, Error> =>
  Schedule.union(transient(options), auth(knownGood, options))

/** Retries what may pass, and nothing else. */
export const transient = (options?: Options): Schedule.Schedule<Retry | undefined, Error> =>
  when(
    (error) => isTransient(error) && (options?.mayPayTwice !== false || !mayHaveBeenTaken(error)),
    lane(options?.transientRetries ?? 10, options)
  )

/** Retries a refused key, only while it is known good. The flag is read at each decision. */
export const auth = (knownGood: Ref.Ref<boolean>, options?: Options): Schedule.Schedule<Retry | undefined, Error> =>
  when(
    (error) => (isAuthRejected(error) ? Ref.get(knownGood) : Effect.succeed(false)),
    lane(options?.authRetries ?? 2, options)
  )

/** Never again. */
export const none: Schedule.Schedule<unknown, Error> = Schedule.stop

/**
 * The schedule, stepped for the inputs that pass the test and for no others, so that the others leave its `recurs` and
 * its backoff alone. (`Schedule.whileInput` in a `Schedule.union` steps on every input.)
 */
export const when = <In, Out, R = never, R2 = never>(
  test: (input: In) => boolean | Effect.Effect<boolean, never, R2>,
  schedule: Schedule.Schedule<Out, In, R>
): Schedule.Schedule<Out | undefined, In, R | R2> =>
  Schedule.makeWithState(schedule.initial, (now, input: In, state) => {
    const passes = test(input)
    return Effect.flatMap(Effect.isEffect(passes) ? passes : Effect.succeed(passes), (yes) =>
      yes
        ? schedule.step(now, input, state)
        : Effect.succeed([state, undefined as Out | undefined, Decision.done] as const)
    )
  })

/**
 * Gives up before a wait that would end later than `budget` after the first failure. (`Schedule.upTo` checks only after
 * the wait.)
 */
export const within =
  (budget: Duration.DurationInput) =>
  <Out, In, R>(schedule: Schedule.Schedule<Out, In, R>): Schedule.Schedule<Out, In, R> => {
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
  }

/** Tells `notify` of each retry before its wait begins. */
export const observed =
  <In, Out>(notify: (input: In, output: Out, delay: Duration.Duration, at: number) => Effect.Effect<void>) =>
  <R>(schedule: Schedule.Schedule<Out, In, R>): Schedule.Schedule<Out, In, R> =>
    Schedule.makeWithState(schedule.initial, (now, input: In, state) =>
      Effect.tap(schedule.step(now, input, state), ([, out, decision]) =>
        Decision.isContinue(decision)
          ? notify(input, out, Duration.millis(Math.max(0, resumesAt(decision) - now)), now)
          : Effect.void
      )
    )

/** `Effect.retry` for an effect that has failed once already: the schedule decides whether it is run again. */
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

/** The `Retry` in a policy's output, however the policy was composed: a union puts out a pair. */
export const retryOf = (output: unknown): Retry | undefined =>
  output instanceof Retry
    ? output
    : Array.isArray(output)
      ? output.map(retryOf).find((retry) => retry !== undefined)
      : undefined

/** It may pass, and the server did not forbid a retry. */
export const isTransient = (error: Error): error is ProviderError.Transient =>
  error._tag === "Transient" && error.shouldRetry !== false

/** The key was refused, and the server did not forbid a retry. */
export const isAuthRejected = (error: Error): error is ProviderError.AuthRejected =>
  error._tag === "AuthRejected" && error.shouldRetry !== false

/**
 * Whether a model may be at work on the request, though nobody will read what it says. A failure with a status and no
 * output is the server's own refusal; a stream that broke off had been taken.
 */
export const mayHaveBeenTaken = ({ code, reason, status }: ProviderError.Transient): boolean =>
  reason === "StreamInterrupted" ||
  reason === "StreamStalled" ||
  ((reason === "Unreachable" || reason === "TimedOut") && status === undefined && !unwritten.has(code ?? ""))

/**
 * The system's words for a connection that was never made, so that nothing was written: Node's (getaddrinfo and
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

const lane = (budget: number, options: Options | undefined): Schedule.Schedule<Retry, Error> => {
  const maxRetryAfter = Duration.toMillis(options?.maxRetryAfter ?? "60 seconds")
  return Schedule.makeWithState(1, (now, error: Error, attempt) => {
    const asked = retryAfter(error)
    const retry = new Retry(attempt, budget)
    if (attempt > budget || asked > maxRetryAfter) return Effect.succeed([attempt, retry, Decision.done])
    // No jitter on what the server asked for: the retry must not come sooner, and need not come later.
    const delay = asked > 0 ? Effect.succeed(asked) : backoff(attempt, options)
    return Effect.map(delay, (millis) => [attempt + 1, retry, Decision.continueWith(Interval.after(now + millis))])
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
