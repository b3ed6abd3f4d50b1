/**
 * One call: authorize, execute, classify what is refused, retry by the policy, confirm the key.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import type * as Answer from "./Answer.js"
import type * as Body from "./Body.js"
import { CallLog } from "./CallLog.js"
import * as Classify from "./Classify.js"
import * as Credential from "./Credential.js"
import * as Exchange from "./Exchange.js"
import type * as Gate from "./Gate.js"
import * as ProviderError from "./ProviderError.js"
import type * as Refusal from "./Refusal.js"
import * as ResponseBody from "./ResponseBody.js"
import { RetryObserver } from "./RetryObserver.js"
import * as RetryPolicy from "./RetryPolicy.js"

export { make as transformClient } from "./TransformClient.js"

export interface Timeouts {
  /** From the request to the headers of the answer. Default 5 minutes: without a stream they come with the answer. */
  readonly headers?: Duration.DurationInput | undefined
  /** The longest time without a byte. Default 2 minutes. */
  readonly idle?: Duration.DurationInput | undefined
  /** The longest time without output of the model, keep-alives or not. Default 10 minutes. */
  readonly stall?: Duration.DurationInput | undefined
  /** How long the body of an error is waited for. Default 10 seconds. */
  readonly errorBody?: Duration.DurationInput | undefined
}

export interface Options {
  readonly provider: string
  readonly client: HttpClient.HttpClient
  readonly credential: Credential.Credential
  /** How the key is written into a request. */
  readonly scheme: Credential.Scheme
  /** `always`: a call without a key is pointless, so nothing is sent. */
  readonly sendKey: "always" | "ifPresent"
  /** Whether what is sent can be read on the way, so that a key must not be. */
  readonly exposed?: boolean | undefined
  /** What the look of a refused key says. */
  readonly hint?: ((key: Credential.Key) => Classify.Hint | undefined) | undefined
  readonly policy: RetryPolicy.RetryPolicy
  readonly timeouts?: Timeouts | undefined
  /** Whether the calls with one key wait together when the server says so. Default true. */
  readonly coolDown?: boolean | undefined
}

export interface Call<A, R> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Whether an answer proves the key. Listing models does not: MiMo lists them for a key that does not work. */
  readonly provesKey: boolean
  /** Reads a 2xx as far as its first output; failing before that, the call is repeated. */
  readonly read: (answer: Answer.Answer) => Run<A, R>
}

export type Run<A, R = never> = Effect.Effect<A, ProviderError.ProviderError, R>

export interface Transport {
  /** What the answer holds on to is released with the scope. */
  readonly run: <A, R>(call: Call<A, R>, scope: Scope.Scope) => Run<A, R>
}

type Key = Credential.Key | Credential.NoKey

/** The most that is read of an error's body. */
const errorBodyBytes = 4096

export const make = (options: Options): Transport => {
  const { credential, provider, timeouts = {} } = options
  const { gate } = credential
  const coolsDown = options.coolDown !== false
  const waits: Exchange.Waits = {
    headers: Duration.toMillis(timeouts.headers ?? "5 minutes"),
    idle: Duration.toMillis(timeouts.idle ?? "2 minutes"),
    stall: Duration.toMillis(timeouts.stall ?? "10 minutes")
  }
  const exchange = Exchange.make({ ...options, waits })
  const errorBody = Duration.decode(timeouts.errorBody ?? "10 seconds")

  const run = <A, R>(call: Call<A, R>, scope: Scope.Scope): Run<A, R> =>
    Effect.clockWith((clock) => {
      const log = new CallLog(clock.unsafeCurrentTimeMillis())
      const place = new Place(gate.ticket(), scope)
      const once = Effect.catchAll(
        keepOnSuccess(scope, (scope) => attempt(call, log, place, scope)),
        (error) => Effect.fail(log.failed(error))
      )
      // The policy is only made once something has failed: nearly every call needs none.
      return Effect.catchAll(once, (error) => {
        const policy = options
          .policy(credential.knownGood)
          .pipe(RetryPolicy.observed((...retry) => onRetry(log, place, ...retry)))
        return RetryPolicy.goOn(once, error, policy).pipe(
          Effect.tapError((error) => settle(log, error)),
          Effect.ensuring(gate.over(place.ticket))
        )
      })
    })

  const attempt = <A, R>(call: Call<A, R>, log: CallLog, place: Place, scope: Scope.Scope): Run<A, R> =>
    Effect.useSpan(
      "knowngood.attempt",
      { attributes: { provider }, kind: "client", captureStackTrace: false },
      (span) =>
        Effect.gen(function* () {
          place.turn = yield* gate.enter(place.ticket, place.scope)
          // After the wait: a key that rotates may have changed in the meantime.
          const key = yield* readKey
          log.sent(key)
          const request = key._tag === "Key" ? key.authorize(options.scheme)(call.request) : call.request
          const { body, over, response, watch, whole } = yield* exchange(request, Credential.scrub(key), scope)
          span.attribute("status", response.status)
          if (response.status < 200 || response.status >= 300) return yield* refuse(log, key, response, body)
          const answer = yield* call.read({
            // The platform's clients make the headers anew each time.
            contentType: () => response.headers["content-type"],
            body,
            watch,
            whole,
            over,
            waits,
            fail: (fault, sofar) => fail(log, key, response, fault, sofar)
          })
          gate.taken(place.turn)
          if (call.provesKey && key._tag === "Key") yield* credential.accepted(key)
          return answer
        }).pipe(Effect.withParentSpan(span))
    )

  const readKey = Effect.flatMap(credential.read, (key): Effect.Effect<Key, ProviderError.ProviderError> => {
    const facts = ProviderError.nothingSent(provider)
    if (key._tag === "Key") {
      return options.exposed === true
        ? Effect.fail(new ProviderError.InvalidRequest({ ...facts, reason: "BadRequest", problem: "InsecureBaseUrl" }))
        : Effect.succeed(key)
    }
    return options.sendKey === "always" || key.problem !== "Absent"
      ? Effect.fail(new ProviderError.AuthMissing({ ...facts, source: credential.source, problem: key.problem }))
      : Effect.succeed(key)
  })

  const refuse = (log: CallLog, key: Key, response: HttpClientResponse.HttpClientResponse, body: Body.Body) =>
    Effect.flatMap(ResponseBody.prefix(body, { maxBytes: errorBodyBytes, within: errorBody }), (text) =>
      tell(log, key, response, text, undefined, Classify.classify)
    )

  const fail = (
    log: CallLog,
    key: Key,
    response: HttpClientResponse.HttpClientResponse,
    ...[fault, sofar]: Parameters<Answer.Answer["fail"]>
  ) => tell(log, key, response, "", sofar, (raw, sender) => Classify.fault(fault, raw, sender))

  const tell = (
    log: CallLog,
    key: Key,
    { headers, status }: HttpClientResponse.HttpClientResponse,
    body: string,
    sofar: Answer.SoFar | undefined,
    say: (raw: Refusal.Raw, sender: Classify.Sender) => ProviderError.ProviderError
  ): Effect.Effect<never, ProviderError.ProviderError> =>
    Effect.flatMap(Effect.all([Clock.currentTimeMillis, Ref.get(credential.knownGood)]), ([now, knownGood]) => {
      const emitted = sofar?.emitted === true
      // A key that was accepted here belongs here, whatever it looks like.
      const hint = key._tag === "Key" && !knownGood ? options.hint?.(key) : undefined
      const sender = { source: credential.source, key, knownGood, emitted, hint }
      const error = say({ provider, status, headers, body, now }, sender)
      // Before any output the retry loop writes the log; after it there is no loop any more.
      const told = emitted ? log.failed(error) : error
      if (sofar === undefined) return Effect.fail(told)
      return Effect.fail(
        ProviderError.withFacts(told, { partial: key._tag === "Key" ? key.redact(sofar.partial) : sofar.partial })
      )
    })

  const onRetry = (
    log: CallLog,
    { ticket, turn }: Place,
    error: ProviderError.ProviderError,
    output: unknown,
    delay: Duration.Duration,
    at: number
  ): Effect.Effect<void> => {
    log.waits(delay)
    const { attempt = log.attempts, budget } = RetryPolicy.retryOf(output) ?? { budget: undefined }
    const told = Effect.flatMap(RetryObserver, ({ onRetry }) =>
      onRetry({ provider, error, attempt, budget, delay, at })
    )
    if (turn === undefined) return told
    if (!coolsDown || !waitsForAll(error)) return Effect.zipRight(turn.leave, told)
    gate.keepPlace(ticket)
    // The gate is closed first: whoever is let in by this one's leaving would find out alone.
    return Effect.all([gate.closeUntil(turn, at + Duration.toMillis(delay)), turn.leave, told], { discard: true })
  }

  /** A known-good key that was refused to the end of its retries is counted, and one day forgotten. */
  const settle = (log: CallLog, error: ProviderError.ProviderError) =>
    error._tag === "AuthRejected" && error.knownGood && log.key?._tag === "Key" && !wasHeldBack(error)
      ? credential.exhausted(log.key, log.began)
      : Effect.void

  return { run }
}

/** A call's place in the line, and the turn of its present attempt. */
class Place {
  turn: Gate.Turn | undefined
  constructor(
    readonly ticket: Gate.Ticket,
    /** The call's. A turn outlives its attempt: it ends when it is known whether the gate must close. */
    readonly scope: Scope.Scope
  ) {}
}

/** What tells every call with this key to wait: the server's own word, or a good key refused, which is a sign of load. */
const waitsForAll = (error: ProviderError.ProviderError): boolean =>
  error._tag === "AuthRejected" ? error.knownGood : error._tag === "Transient" && error.retryAfter !== undefined

/** Not retried because the server forbade it, or asked for a wait that is too long: its retries are not used up. */
const wasHeldBack = ({ attempts, retryAfter, shouldRetry }: ProviderError.AuthRejected): boolean =>
  shouldRetry === false || (attempts === 1 && retryAfter !== undefined)

/** Each attempt has a scope of its own, closed when it fails; what succeeds lives as long as the caller's. */
const keepOnSuccess = <A, E, R>(outer: Scope.Scope, use: (scope: Scope.Scope) => Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
      Effect.onError(restore(use(scope)), (cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  )
