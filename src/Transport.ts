/**
 * One call over HTTP: authorize, execute, classify what is refused, retry by the policy, confirm the key.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import type * as Answer from "./Answer.js"
import * as Classify from "./Classify.js"
import * as Credential from "./Credential.js"
import * as ProviderError from "./ProviderError.js"
import type * as Refusal from "./Refusal.js"
import * as ResponseBody from "./ResponseBody.js"
import { RetryObserver } from "./RetryObserver.js"
import * as RetryPolicy from "./RetryPolicy.js"

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
  /** Whether a call without a key is pointless, so that nothing is sent. */
  readonly keyRequired: boolean
  readonly policy: RetryPolicy.RetryPolicy
  readonly timeouts?: Timeouts | undefined
}

export interface Call<A, R> {
  readonly request: HttpClientRequest.HttpClientRequest
  /** Whether an answer proves the key. Listing models does not: MiMo lists them for a key that does not work. */
  readonly provesKey: boolean
  /** Reads a 2xx as far as its first output; failing before that, the call is repeated. */
  readonly read: (answer: Answer.Answer) => Read<A, R>
}

export type Read<A, R = never> = Effect.Effect<A, ProviderError.ProviderError, Scope.Scope | R>

export interface Transport {
  /** What the answer holds on to is released with the scope. */
  readonly run: <A, R>(call: Call<A, R>) => Read<A, R>
}

/** The most that is read of an error's body. */
const errorBodyBytes = 4096

export const make = (options: Options): Transport => {
  const { credential, provider } = options
  const client = quiet(options.client)
  const headersTimeout = Duration.decode(options.timeouts?.headers ?? "5 minutes")
  const errorBody = Duration.decode(options.timeouts?.errorBody ?? "10 seconds")
  const clocks: ResponseBody.Clocks = {
    idle: Duration.decode(options.timeouts?.idle ?? "2 minutes"),
    stall: Duration.decode(options.timeouts?.stall ?? "10 minutes")
  }

  const run = <A, R>(call: Call<A, R>) =>
    Effect.suspend(() => {
      const log = new Log()
      const policy = options
        .policy(credential.knownGood)
        .pipe(RetryPolicy.observed((error, output, delay, at) => notify(log, error, output, delay, at)))
      return keepOnSuccess(attempt(call, log)).pipe(
        Effect.mapError((error) => log.failed(error)),
        Effect.retry(policy),
        Effect.tapError((error) => settle(log, error))
      )
    })

  const attempt = <A, R>(call: Call<A, R>, log: Log) =>
    Effect.gen(function* () {
      const key = yield* credential.read
      if (key._tag === "NoKey" && (options.keyRequired || key.problem !== "Absent")) return yield* missing(key)
      log.sent(key)
      const request = key._tag === "Key" ? key.authorize(options.scheme)(call.request) : call.request
      const response = yield* execute(request, key)
      const failWith = (
        say: (raw: Refusal.Raw, sender: Classify.Sender) => ProviderError.ProviderError,
        body: string,
        sofar?: Answer.SoFar
      ) => refuse(log, key, response, say, body, sofar)
      if (response.status < 200 || response.status >= 300) {
        const body = yield* ResponseBody.prefix(response, { maxBytes: errorBodyBytes, within: errorBody })
        return yield* failWith(Classify.classify, body)
      }
      const fail: Answer.Answer["fail"] = (fault, sofar) =>
        failWith((raw, sender) => Classify.fault(fault, raw, sender), "", sofar)
      const answer = yield* call.read({ response, clocks, fail })
      if (call.provesKey && key._tag === "Key") yield* credential.accepted(key)
      return answer
    }).pipe(
      Effect.withSpan("knowngood.attempt", { attributes: { provider }, kind: "client", captureStackTrace: false })
    )

  const execute = (request: HttpClientRequest.HttpClientRequest, key: Credential.Key | Credential.NoKey) =>
    withoutRedirects(client.execute(request)).pipe(
      Effect.catchAll((error) => Effect.fail(unreachable(provider, error, key))),
      Effect.timeoutFail({ duration: headersTimeout, onTimeout: () => noHeaders(provider) }),
      Effect.tap((response) => Effect.annotateCurrentSpan("status", response.status))
    )

  const missing = (key: Credential.NoKey) =>
    Effect.fail(
      new ProviderError.AuthMissing({
        ...ProviderError.nothingSent(provider),
        source: credential.source,
        problem: key.problem
      })
    )

  const refuse = (
    log: Log,
    key: Credential.Key | Credential.NoKey,
    response: HttpClientResponse.HttpClientResponse,
    say: (raw: Refusal.Raw, sender: Classify.Sender) => ProviderError.ProviderError,
    body: string,
    sofar: Answer.SoFar | undefined
  ): Effect.Effect<never, ProviderError.ProviderError> =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const knownGood = yield* Ref.get(credential.knownGood)
      const raw = {
        provider,
        status: response.status,
        headers: response.headers,
        body,
        now: clock.unsafeCurrentTimeMillis()
      }
      const emitted = sofar?.emitted === true
      const error = say(raw, { source: credential.source, key, knownGood, emitted })
      // Before any output the retry loop writes the log; after it there is no loop any more.
      const told = emitted ? log.failed(error) : error
      return yield* Effect.fail(sofar === undefined ? told : ProviderError.withFacts(told, { partial: sofar.partial }))
    })

  const notify = (
    log: Log,
    error: ProviderError.ProviderError,
    output: unknown,
    delay: Duration.Duration,
    at: number
  ) =>
    Effect.flatMap(RetryObserver, (observer) => {
      const retry = RetryPolicy.retryOf(output)
      log.waits(delay)
      return observer.onRetry({
        provider,
        error,
        attempt: retry?.attempt ?? log.attempts,
        budget: retry?.budget,
        delay,
        at
      })
    })

  /** A known-good key that was refused to the end of its retries is counted, and one day forgotten. */
  const settle = (log: Log, error: ProviderError.ProviderError) =>
    error._tag === "AuthRejected" && error.knownGood && log.key?._tag === "Key"
      ? credential.exhausted(log.key)
      : Effect.void

  return { run }
}

/** What one call has done so far. */
class Log {
  attempts = 0
  history: ReadonlyArray<ProviderError.Attempt> = []
  key: Credential.Key | Credential.NoKey | undefined

  sent(key: Credential.Key | Credential.NoKey): void {
    this.attempts += 1
    this.key = key
  }

  failed<E extends ProviderError.ProviderError>(error: E): E {
    if (error._tag === "AuthMissing" && error.status === undefined) return this.told(error)
    const { requestId, status } = error
    this.history = [...this.history, { status, reason: ProviderError.word(error), requestId }]
    return this.told(error)
  }

  waits(wait: Duration.Duration): void {
    const last = this.history.at(-1)
    if (last !== undefined) this.history = [...this.history.slice(0, -1), { ...last, wait }]
  }

  private told<E extends ProviderError.ProviderError>(error: E): E {
    return ProviderError.withFacts(error, { attempts: this.attempts, history: this.history })
  }
}

/** Each attempt has a scope of its own, closed when it fails; what succeeds lives as long as the caller's. */
const keepOnSuccess = <A, E, R>(self: Effect.Effect<A, E, R | Scope.Scope>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (outer) =>
      Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
        restore(Scope.extend(self, scope)).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
      )
    )
  )

/**
 * The request ends with the scope. The client's own span is off: it would carry every header of the answer, in which a
 * server may echo the key, and it does not know that `api-key` is a secret.
 */
const quiet = (client: HttpClient.HttpClient) =>
  HttpClient.withScope(HttpClient.withTracerDisabledWhen(client, () => true))

/** `fetch` strips `Authorization` on the way to another origin, but neither `x-api-key` nor `api-key`. */
const withoutRedirects = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.contextWithEffect((context: Context.Context<never>) => {
    const init = Context.getOption(context, FetchHttpClient.RequestInit)
    const given = init._tag === "Some" ? init.value : {}
    return Effect.provideService(self, FetchHttpClient.RequestInit, { ...given, redirect: "manual" })
  })

const noHeaders = (provider: string): ProviderError.ProviderError =>
  new ProviderError.Transient({
    ...ProviderError.nothingSent(provider),
    reason: "TimedOut",
    detail: "no answer came in time"
  })

const unreachable = (
  provider: string,
  error: HttpClientError.HttpClientError,
  key: Credential.Key | Credential.NoKey
): ProviderError.ProviderError => {
  const code = ResponseBody.codeOf(error)
  const said = error.cause instanceof Error ? error.cause.message : undefined
  const detail = said === undefined ? undefined : key._tag === "Key" ? key.scrub(said) : Credential.scrubShapes(said)
  const facts = { ...ProviderError.nothingSent(provider), code, detail: detail?.slice(0, 800) }
  if (error._tag === "RequestError" && error.reason !== "Transport") {
    return new ProviderError.InvalidRequest({ ...facts, reason: "BadRequest" })
  }
  return new ProviderError.Transient({ ...facts, reason: /TIMEOUT|TIMEDOUT/.test(code) ? "TimedOut" : "Unreachable" })
}
