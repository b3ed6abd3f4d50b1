/**
 * One call: a turn at the gate, a key, a request, and again by the policy. What the answers say of the key and of the
 * server's capacity is handed on from here.
 *
 * It does not know what is sent or how it is read, so that the SDK's own requests and those of a transformed client are
 * guarded, counted and repeated by the same rules.
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import { CallLog } from "./CallLog.js"
import type * as Credential from "./Credential.js"
import * as Gate from "./Gate.js"
import * as Key from "./Key.js"
import * as ProviderError from "./ProviderError.js"
import { RetryObserver } from "./RetryObserver.js"
import * as RetryPolicy from "./RetryPolicy.js"

export interface Options {
  readonly provider: string
  readonly credential: Credential.Credential
  /** How the key is written into a request. */
  readonly scheme: Key.Scheme
  /** `always`: a call without a key is pointless, so nothing is sent. */
  readonly sendKey: "always" | "ifPresent"
  /** Whether the key may be sent over plain http to another machine. Default false. */
  readonly allowInsecure?: boolean | undefined
  readonly policy: RetryPolicy.RetryPolicy
  /** Whether the calls with one key wait together when the server cannot take more. Default true. */
  readonly coolDown?: boolean | undefined
}

type Error = ProviderError.ProviderError

/** One request of a call, as whoever sends it sees it. */
export interface Attempt {
  /** With the key in it. */
  readonly request: HttpClientRequest.HttpClientRequest
  readonly key: Key.Key | Key.NoKey
  /** Closes when the attempt fails; one that succeeds lives as long as the caller's. */
  readonly scope: Scope.Scope
  readonly span: Tracer.Span
  /** Nothing more of the answer will come: whoever waits for its place may go. */
  readonly over: () => void
  /** The answer broke after the attempt had succeeded. The error, told of the whole call. */
  readonly broke: <E extends Error>(error: E) => E
}

/** Sends an attempt. It succeeds when the server has taken the request: with the first event, or with the whole answer. */
export type Send<A, R> = (attempt: Attempt) => Effect.Effect<A, Error, R>

export interface Call<A, R> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Whether an answer proves the key. Listing models does not: MiMo lists them for a key that does not work. */
  readonly provesKey: boolean
  readonly send: Send<A, R>
}

/** Makes a call. What its answer holds on to is released with the scope. */
export type Run = <A, R>(call: Call<A, R>, scope: Scope.Scope) => Effect.Effect<A, Error, R>

/**
 * After a wait at the gate the key is read again, because it may have changed. A turn is held no longer than this for it;
 * then the key that was read before the wait is sent.
 */
const keyIsReadWithin = "1 second"

export const make = (options: Options): Run => {
  const { credential, provider, scheme } = options
  const { gate } = credential
  const coolsDown = options.coolDown !== false
  const terms: Credential.Terms = { scheme, allowInsecure: options.allowInsecure === true }

  const run: Run = (call, scope) =>
    Effect.suspend(() => {
      const log = new CallLog()
      const place = new Gate.Place(coolsDown)
      const once = Effect.catchAll(
        keepOnSuccess(scope, (scope) => attempt(call, log, place, scope)),
        (error) => Effect.fail(log.failed(error))
      )
      const withNewKey = Effect.catchTag(once, "AuthRejected", (error) => tryNewKey(log, error, once))
      // The policy is only made once something has failed: nearly every call needs none.
      return Effect.catchAll(withNewKey, (error) => {
        const policy = options
          .policy(credential.knownGood)
          .pipe(
            RetryPolicy.observed((error, output, delay) =>
              notify(log, error, RetryPolicy.retryOf(output) ?? new RetryPolicy.Retry(log.attempts, undefined), delay)
            )
          )
        return Effect.tapError(RetryPolicy.goOn(withNewKey, error, policy), (error) => settle(log, error))
      })
    })

  const attempt = <A, R>(
    { provesKey, request, send }: Call<A, R>,
    log: CallLog,
    place: Gate.Place,
    scope: Scope.Scope
  ): Effect.Effect<A, Error, R> =>
    Effect.gen(function* () {
      const { fail, span } = yield* spanOf(scope)
      const { key, turn } = yield* Effect.withParentSpan(enter(place, scope), span)
      const authorized = credential.authorize(request, key, terms)
      if (Key.isRefusal(authorized)) return yield* Effect.fail(refusedByUs(authorized))
      log.sent(key, turn.number)
      const sent = send({
        request: authorized,
        key,
        scope,
        span,
        over: () => gate.over(turn),
        broke: (error) => {
          const told = log.failed(error)
          fail(told)
          return told
        }
      })
      const answer = yield* sent.pipe(
        Effect.tapError((error) => heard(turn, log, error)),
        Effect.withParentSpan(span)
      )
      gate.accepted(turn)
      if (provesKey && key._tag === "Key") yield* credential.accepted(key)
      return answer
    })

  /**
   * A key, and a turn to send it. It is read before the wait, so that nobody waits for somebody else's key, and once more
   * after one.
   */
  const enter = (place: Gate.Place, scope: Scope.Scope): Effect.Effect<Entered, Error> =>
    Effect.flatMap(readKey, (key) =>
      Effect.flatMap(gate.enter(place, scope), (turn) => {
        if (!turn.waited) return Effect.succeed({ key, turn })
        const readAgain = Effect.timeoutOption(Effect.disconnect(readKey), keyIsReadWithin)
        return Effect.map(readAgain, (read) => ({ key: Option.getOrElse(read, () => key), turn }))
      })
    )

  const readKey = Effect.flatMap(credential.read, (key): Effect.Effect<Key.Key | Key.NoKey, Error> => {
    if (key._tag === "Key" || (options.sendKey === "ifPresent" && key.problem === "Absent")) return Effect.succeed(key)
    const facts = ProviderError.nothingSent(provider)
    return Effect.fail(new ProviderError.AuthMissing({ ...facts, source: credential.source, problem: key.problem }))
  })

  const refusedByUs = ({ problem, subject }: Key.Refusal): Error =>
    new ProviderError.InvalidRequest({
      ...ProviderError.nothingSent(provider),
      reason: "BadRequest",
      problem,
      subject
    })

  /** Told at once, whatever becomes of the call: its policy, its observer and its interruption are its own affair. */
  const heard = (turn: Gate.Turn, log: CallLog, error: Error): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (saysTooMuch(error)) {
        const { retryAfter } = error
        if (coolsDown) gate.refused(turn, retryAfter === undefined ? undefined : Duration.toMillis(retryAfter))
      } else if (isAnswer(error)) gate.accepted(turn)
      return error._tag === "AuthRejected" && error.knownGood && log.key?._tag === "Key"
        ? credential.refused(log.key, log.turn, log)
        : Effect.void
    })

  /** A key that was replaced while its request was on the way: its refusal says nothing of the new one. */
  const tryNewKey = <A, R>(log: CallLog, error: ProviderError.AuthRejected, again: Effect.Effect<A, Error, R>) =>
    Effect.flatMap(credential.read, (key): Effect.Effect<A, Error, R> => {
      if (key === log.key || key._tag === "NoKey" || log.hasTriedNewKey) return Effect.fail(error)
      log.hasTriedNewKey = true
      return Effect.zipRight(notify(log, error, new RetryPolicy.Retry(1, 1), Duration.zero), again)
    })

  const notify = (log: CallLog, error: Error, { attempt, budget }: RetryPolicy.Retry, delay: Duration.Duration) => {
    log.waits(delay)
    return Effect.flatMap(Effect.all([RetryObserver, Clock.currentTimeMillis]), ([{ onRetry }, at]) =>
      onRetry({ provider, error, attempt, budget, delay, at })
    )
  }

  /** A known-good key that was refused to the end of its retries is counted, and one day forgotten. */
  const settle = (log: CallLog, error: Error) =>
    error._tag === "AuthRejected" && error.knownGood && log.key?._tag === "Key" && !wasHeldBack(error)
      ? credential.exhausted(log.key, log.turn)
      : Effect.void

  /** It lasts as long as the answer is read, and ends with what became of it: once, whenever the call is given up. */
  const spanOf = (scope: Scope.Scope) => Effect.uninterruptible(beginSpan(scope))

  const beginSpan = (scope: Scope.Scope) =>
    Effect.flatMap(
      Effect.makeSpan("knowngood.attempt", { attributes: { provider }, kind: "client", captureStackTrace: false }),
      (span) => {
        let broken: Exit.Exit<never, Error> | undefined
        const end = (exit: Exit.Exit<unknown, unknown>) =>
          Effect.clockWith((clock) => Effect.sync(() => span.end(clock.unsafeCurrentTimeNanos(), broken ?? exit)))
        const fail = (error: Error): void => {
          broken = Exit.fail(error)
        }
        return Effect.as(Scope.addFinalizerExit(scope, end), { span, fail })
      }
    )

  return run
}

interface Entered {
  readonly key: Key.Key | Key.NoKey
  readonly turn: Gate.Turn
}

/** The server cannot take more at the moment, or says so by refusing a good key. It does not where it forbids to ask again. */
const saysTooMuch = (error: Error): error is ProviderError.Transient | ProviderError.AuthRejected =>
  error._tag === "AuthRejected"
    ? error.knownGood && error.shouldRetry !== false
    : error._tag === "Transient" &&
      (error.retryAfter !== undefined || error.reason === "RateLimited" || error.reason === "Overloaded")

/** The server had room for the request, and something against what it says, or nothing sensible to answer. */
const isAnswer = ({ _tag, status }: Error): boolean =>
  status !== undefined && (_tag === "InvalidRequest" || _tag === "InvalidResponse" || _tag === "QuotaExceeded")

/** No policy that waits at all waits longer unless it is told to. */
const longestWait = Duration.minutes(1)

/** Not retried because the server forbade it, or asked for a wait that is too long: its retries are not used up. */
const wasHeldBack = ({ attempts, retryAfter, shouldRetry }: ProviderError.AuthRejected): boolean =>
  shouldRetry === false || (attempts === 1 && retryAfter !== undefined && Duration.greaterThan(retryAfter, longestWait))

/** What is opened in a scope of its own that is closed when it fails; what succeeds lives as long as the outer one. */
export const keepOnSuccess = <A, E, R>(outer: Scope.Scope, use: (scope: Scope.Scope) => Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
      Effect.onError(restore(use(scope)), (cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  )
