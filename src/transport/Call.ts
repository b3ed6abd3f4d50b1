/**
 * One call: a turn at the gate, a key, a request, and retries by the policy. It passes on what the answers say about
 * the key and about the server's capacity.
 *
 * It does not know what is sent or how the answer is read, so that the SDK's own requests and those of a transformed
 * client are guarded, judged, counted and repeated by the same rules.
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type * as Provenance from "../answer/Provenance.js"
import type * as Credential from "../Credential.js"
import type * as Gate from "../credential/Gate.js"
import * as Key from "../credential/Key.js"
import type * as Standing from "../credential/Standing.js"
import type * as ProviderError from "../ProviderError.js"
import { RetryObserver } from "../RetryObserver.js"
import * as RetryPolicy from "../RetryPolicy.js"
import * as Classify from "../refusal/Classify.js"
import type * as Failure from "../refusal/Failure.js"
import type * as Fault from "../refusal/Fault.js"
import { CallLog } from "./CallLog.js"

export interface Options {
  readonly provider: string
  readonly credential: Credential.Credential
  /** How the key is written into a request. */
  readonly scheme: Key.Scheme
  /** `always`: a call without a key is pointless, so nothing is sent. */
  readonly sendKey: "always" | "ifPresent"
  /** Whether the key may be sent over plain http to another machine. Default false. */
  readonly allowInsecure?: boolean | undefined
  /** What the form of a refused key suggests. */
  readonly hint?: ((key: Key.Key) => Classify.Hint | undefined) | undefined
  /** Default `RetryPolicy.standard`. */
  readonly policy?: RetryPolicy.RetryPolicy | RetryPolicy.Options | undefined
  /** Whether the calls with one key wait together when the server cannot take more. Default true. */
  readonly coolDown?: boolean | undefined
}

type Error = ProviderError.ProviderError

/** One request of a call, as its sender sees it. */
export interface Attempt {
  /** With the key in it. */
  readonly request: HttpClientRequest.HttpClientRequest
  readonly key: Key.Key | Key.NoKey
  /** Closes when the attempt fails; if it succeeds, it lives as long as the caller's scope. */
  readonly scope: Scope.Scope
  readonly span: Tracer.Span
  /** Signals that nothing more of the answer will arrive, so that a waiting call may take its place. */
  readonly ended: () => void
  /** The error of a request that had no answer. */
  readonly failed: (failure: Failure.Failure) => Error
  /** Fails as the fault of this answer means, even if the attempt had succeeded before with its first output. */
  readonly fail: (fault: Fault.Fault, response: Response, sofar?: Classify.SoFar) => Effect.Effect<never, Error>
  /** For a fault that is found in the reply once the call has ended: fails as that fault means. */
  readonly afterwards: (response: Response) => Provenance.Fail
}

type Response = Pick<HttpClientResponse.HttpClientResponse, "status" | "headers">

/** Sends an attempt. It succeeds once the server has accepted the request: with the first event, or the whole answer. */
export type Send<A, R> = (attempt: Attempt) => Effect.Effect<A, Error, R>

export interface Call<A, R> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Whether an answer proves the key. Listing models does not: MiMo lists them for a key that does not work. */
  readonly provesKey: boolean
  readonly send: Send<A, R>
}

/**
 * After a wait at the gate the key is read again, because it may have changed. If that takes longer than this, the key
 * that was read before the wait is sent, so that the turn is not held up.
 */
const keyIsReadWithin = "1 second"

export const make = (options: Options): Calls => new Calls(options)

/** The calls of one provider, or of one transformed client. */
export class Calls {
  private readonly credential: Credential.Credential
  private readonly provider: string
  private readonly policy: RetryPolicy.RetryPolicy
  private readonly terms: Standing.Terms
  private readonly coolsDown: boolean

  constructor(private readonly options: Options) {
    this.credential = options.credential
    this.provider = options.provider
    this.policy = RetryPolicy.make(options.policy)
    this.terms = { scheme: options.scheme, allowInsecure: options.allowInsecure === true }
    this.coolsDown = options.coolDown !== false
  }

  /** Makes a call. The resources of its answer are released with the scope. */
  run<A, R>(call: Call<A, R>, scope: Scope.Scope): Effect.Effect<A, Error, R> {
    return Effect.suspend(() => {
      const log = new CallLog(this.coolsDown)
      const once = keepOnSuccess(scope, (scope) => this.attempt(call, log, scope))
      const withNewKey = Effect.catchTag(once, "AuthRejected", (error) => this.tryNewKey(log, error, once))
      return Effect.catchAll(withNewKey, (error) => this.retry(log, error, withNewKey))
    })
  }

  /** The policy is only built once something has failed: nearly every call does without. */
  private retry<A, R>(log: CallLog, error: Error, again: Effect.Effect<A, Error, R>): Effect.Effect<A, Error, R> {
    const policy = RetryPolicy.observed(this.policy(this.credential.knownGood), (retry) => this.notify(log, retry))
    return Effect.tapError(RetryPolicy.goOn(again, error, policy), (error) => this.reportExhausted(log, error))
  }

  private attempt<A, R>(call: Call<A, R>, log: CallLog, scope: Scope.Scope): Effect.Effect<A, Error, R> {
    const { credential, provider } = this
    return Effect.gen(this, function* () {
      const { fail, span } = yield* Effect.uninterruptible(beginSpan(provider, scope))
      const { key, turn } = yield* Effect.withParentSpan(this.enter(log, scope), span)
      const request = credential.authorize(call.request, key, this.terms)
      if (Key.isRefusal(request)) return yield* Effect.fail(log.failed(mustNotBeSent(provider, request)))
      log.sends(key, turn)
      const failed: Attempt["failed"] = (failure) => {
        const error = log.failed(failure)
        fail(error)
        return error
      }
      const ended = () => credential.gate.ended(turn)
      const sent = call.send({ request, key, scope, span, ended, failed, ...this.faults(key, log, failed) })
      const answer = yield* sent.pipe(
        Effect.tapError((error) => this.report(turn, log, error)),
        Effect.withParentSpan(span)
      )
      credential.gate.accepted(turn)
      if (call.provesKey && key._tag === "Key") yield* credential.accepted(key)
      return answer
    })
  }

  /** How the faults of an answer to this key become errors of the call. */
  private faults(
    key: Key.Key | Key.NoKey,
    log: CallLog,
    failed: Attempt["failed"]
  ): Pick<Attempt, "fail" | "afterwards"> {
    const { credential, provider } = this
    return {
      fail: (fault, { headers, status }, sofar) =>
        Effect.flatMap(Effect.all([this.isKnownGood(key), Clock.currentTimeMillis]), ([knownGood, now]) => {
          const sender = this.sender(key, knownGood, sofar)
          return Effect.fail(failed(Classify.classify(fault, { provider, status, headers, now }, sender)))
        }),
      afterwards: ({ headers, status }) =>
        afterwards(log, { provider, status, headers, now: 0 }, { source: credential.source, key, knownGood: false })
    }
  }

  /**
   * A key, and a turn to send it. The key is read before the wait, so that nobody waits for somebody else's key, and
   * again after a wait.
   */
  private enter(log: CallLog, scope: Scope.Scope): Effect.Effect<Entered, Error> {
    return Effect.flatMap(this.readKey(log), (key) =>
      Effect.flatMap(this.credential.gate.enter(log, scope), (turn) => {
        if (!turn.waited) return Effect.succeed({ key, turn })
        const readAgain = Effect.timeoutOption(Effect.disconnect(this.readKey(log)), keyIsReadWithin)
        return Effect.map(readAgain, (read) => ({ key: Option.getOrElse(read, () => key), turn }))
      })
    )
  }

  private readKey(log: CallLog): Effect.Effect<Key.Key | Key.NoKey, Error> {
    const { credential, options, provider } = this
    return Effect.flatMap(credential.read, (key) => {
      if (key._tag === "Key" || (options.sendKey === "ifPresent" && key.problem === "Absent"))
        return Effect.succeed(key)
      const { problem } = key
      return Effect.fail(
        log.failed({ _tag: "AuthMissing", provider, emitted: false, source: credential.source, problem })
      )
    })
  }

  private isKnownGood(key: Key.Key | Key.NoKey): Effect.Effect<boolean> {
    return key._tag === "Key" ? this.credential.isKnownGood(key) : Effect.succeed(false)
  }

  private sender(key: Key.Key | Key.NoKey, knownGood: boolean, sofar: Classify.SoFar | undefined): Classify.Sender {
    // A key that was accepted here belongs here, whatever form it has.
    const hint = key._tag === "Key" && !knownGood ? this.options.hint?.(key) : undefined
    return { source: this.credential.source, key, knownGood, hint, sofar }
  }

  /**
   * Reports a failure to the gate and the credential at once, whatever becomes of the call: policy, observer and
   * interruption concern the call alone.
   */
  private report(turn: Gate.Turn, log: CallLog, error: Error): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { gate } = this.credential
      if (saysTooMuch(error)) {
        const { retryAfter } = error
        if (this.coolsDown) gate.refused(turn, retryAfter === undefined ? undefined : Duration.toMillis(retryAfter))
      } else if (isAnswer(error)) gate.accepted(turn)
      return error._tag === "AuthRejected" && error.knownGood && log.key?._tag === "Key"
        ? this.credential.refused(log.key, log)
        : Effect.void
    })
  }

  /** If the key was replaced while its request was in flight, the refusal says nothing about the new one. */
  private tryNewKey<A, R>(log: CallLog, error: ProviderError.AuthRejected, again: Effect.Effect<A, Error, R>) {
    return Effect.flatMap(this.credential.read, (key): Effect.Effect<A, Error, R> => {
      if (key === log.key || key._tag === "NoKey" || log.hasTriedNewKey) return Effect.fail(error)
      log.hasTriedNewKey = true
      return Effect.zipRight(this.notify(log, { error, attempt: 1, budget: 1, delay: Duration.zero }), again)
    })
  }

  private notify(log: CallLog, retry: RetryPolicy.Retry): Effect.Effect<void> {
    log.waits(retry.delay)
    return Effect.flatMap(Effect.all([RetryObserver, Clock.currentTimeMillis]), ([{ onRetry }, at]) =>
      onRetry({ provider: this.provider, ...retry, at })
    )
  }

  /** Counts a known-good key that was refused to the end of its retries; after several it is no longer known good. */
  private reportExhausted(log: CallLog, error: Error): Effect.Effect<void> {
    return error._tag === "AuthRejected" && error.knownGood && log.key?._tag === "Key" && !wasHeldBack(error)
      ? this.credential.exhausted(log.key, log)
      : Effect.void
  }
}

/** The span lasts until the answer has been read, and ends with its outcome: once, even if the call is given up. */
const beginSpan = (provider: string, scope: Scope.Scope) =>
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

const mustNotBeSent = (provider: string, { problem, subject }: Key.Refusal): Failure.Failure => ({
  _tag: "InvalidRequest",
  provider,
  emitted: false,
  reason: "BadRequest",
  problem,
  subject
})

/** Outside of the attempt, whose request it would keep alive: a program may keep all replies of a day. */
const afterwards =
  (log: CallLog, response: Classify.Response, sender: Classify.Sender): Provenance.Fail =>
  (fault, partial) =>
    Effect.failSync(() =>
      log.failed(Classify.classify(fault, response, { ...sender, sofar: { partial, emitted: false } }))
    )

interface Entered {
  readonly key: Key.Key | Key.NoKey
  readonly turn: Gate.Turn
}

/** The server cannot take more now: it says so, or it refuses a good key without forbidding a retry. */
const saysTooMuch = (error: Error): error is ProviderError.Transient | ProviderError.AuthRejected =>
  error._tag === "AuthRejected"
    ? error.knownGood && error.shouldRetry !== false
    : error._tag === "Transient" &&
      (error.retryAfter !== undefined || error.reason === "RateLimited" || error.reason === "Overloaded")

/** The server had room for the request, but objected to its content or answered nothing sensible. */
const isAnswer = ({ _tag, status }: Error): boolean => status !== undefined && hadRoom[_tag]

const hadRoom: { readonly [tag in Error["_tag"]]: boolean } = {
  AuthMissing: false,
  AuthRejected: false,
  Transient: false,
  QuotaExceeded: true,
  InvalidRequest: true,
  InvalidResponse: true
}

/** The longest wait that a policy accepts from a server by default. */
const longestWait = Duration.minutes(1)

/** Not retried because the server forbade it, or asked for too long a wait, so its retries are not used up. */
const wasHeldBack = ({ attempts, retryAfter, shouldRetry }: ProviderError.AuthRejected): boolean =>
  shouldRetry === false || (attempts === 1 && retryAfter !== undefined && Duration.greaterThan(retryAfter, longestWait))

/** Runs `use` in a scope of its own. A failure closes that scope; after a success it lives as long as the outer one. */
export const keepOnSuccess = <A, E, R>(outer: Scope.Scope, use: (scope: Scope.Scope) => Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
      Effect.onError(restore(use(scope)), (cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  )
