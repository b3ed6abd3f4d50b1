/**
 * One HTTP exchange: no redirect, no span, no longer than its scope.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Body from "../answer/Body.js"
import * as ClientResponse from "../answer/ClientResponse.js"
import type * as ResponseBody from "../answer/ResponseBody.js"
import * as Watch from "../answer/Watch.js"
import * as Redaction from "../credential/Redaction.js"
import type * as Failure from "../refusal/Failure.js"

export interface Options {
  readonly provider: string
  readonly client: HttpClient.HttpClient
  readonly waits: Waits
}

/** The longest waits, in milliseconds. */
export interface Waits extends Watch.Waits {
  /** From the request to the headers of the answer. */
  readonly headers: number
}

/** The headers have arrived; the body has not been read yet. */
export interface Answered extends Omit<ResponseBody.Source, "waits" | "onEnd"> {
  readonly response: HttpClientResponse.HttpClientResponse
}

type SentExit = Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

/** It gives the failure as a value: Effect logs a fiber that fails while nobody awaits it, and this may quote the key. */
type Sent = Fiber.RuntimeFiber<SentExit>

export const make = (options: Options): Exchanges => new Exchanges(options)

/**
 * The exchanges of one client. A request runs in a fiber of its own, so that it can be given up when the headers are
 * late.
 *
 * The client's own span is off: it would carry every header of the answer, in which a server may echo the key, and it
 * does not know that `api-key` is a secret.
 */
export class Exchanges {
  private readonly client: HttpClient.HttpClient.With<HttpClientError.HttpClientError, Scope.Scope>
  private readonly provider: string
  private readonly waits: Waits
  private readonly watches = new WeakMap<Clock.Clock, Watch.Watches>()

  constructor({ client, provider, waits }: Options) {
    this.client = HttpClient.withScope(HttpClient.withTracerDisabledWhen(client, () => true))
    this.provider = provider
    this.waits = waits
  }

  /**
   * @param scrub Removes the key from a text.
   * @param scope The resources of the answer are given up with it.
   */
  run(
    request: HttpClientRequest.HttpClientRequest,
    scrub: (text: string) => string,
    scope: Scope.Scope
  ): Effect.Effect<Answered, Failure.Failure> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.begin(request, scope), (ongoing) =>
        Effect.flatMap(restore(this.headers(ongoing)), (exit) => this.answered(ongoing, responseOf(exit), scrub))
      )
    )
  }

  private begin(request: HttpClientRequest.HttpClientRequest, scope: Scope.Scope): Effect.Effect<Ongoing> {
    return Effect.gen(this, function* () {
      const clock = yield* Effect.clock
      const connection = yield* Scope.make()
      const execute = Effect.mapInputContext(this.client.execute(request), (context: Context.Context<never>) =>
        Context.add(unredirected(context), Scope.Scope, connection)
      )
      // A call whose signal had been aborted before it began is interrupted in this pause, and sends nothing.
      const paused = Effect.zipRight(Effect.yieldNow(), Effect.exit(execute))
      const sent = yield* Effect.forkDaemon(Effect.interruptible(paused))
      const watch = new Watch.Watch(clock)
      const watches = this.watchesBy(clock)
      yield* watches.begin(watch)
      const ongoing = new Ongoing(sent, connection, watch, watches)
      yield* Scope.addFinalizer(
        scope,
        Effect.suspend(() => ongoing.giveUp())
      )
      return ongoing
    })
  }

  private watchesBy(clock: Clock.Clock): Watch.Watches {
    const { headers, idle, stall } = this.waits
    // At least 1 ms: a zero would keep the watch awake all the time.
    const watches = this.watches.get(clock) ?? Watch.make(clock, Math.max(1, Math.min(headers, idle, stall)))
    this.watches.set(clock, watches)
    return watches
  }

  /** Waits for the headers. */
  private headers({ sent, watch }: Ongoing): Effect.Effect<SentExit, Failure.Failure> {
    return Effect.async((resume) => {
      const deadline = watch.now() + this.waits.headers
      watch.arm(
        () => deadline,
        () => resume(Effect.fail(timedOut(this.provider)))
      )
      sent.addObserver((ended) => {
        watch.disarm()
        resume(ended)
      })
    })
  }

  private answered(
    ongoing: Ongoing,
    exit: SentExit,
    scrub: (text: string) => string
  ): Effect.Effect<Answered, Failure.Failure> {
    const { provider } = this
    if (Exit.isFailure(exit)) {
      return Effect.failCause(Cause.map(exit.cause, (error) => broken(provider, error, scrub)))
    }
    const response = exit.value
    if (!isResponse(response)) return Effect.fail(noResponse(provider))
    return Effect.map(ClientResponse.body(response), (body) => {
      ongoing.body = body
      return { response, watch: ongoing.watch, body: scrubbed(body, scrub), onComplete: ongoing.complete }
    })
  }
}

/** A client that fails because of the status still has an answer; what it means is decided here. */
const responseOf = (exit: SentExit): SentExit => {
  if (Exit.isSuccess(exit)) return exit
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return error?._tag === "ResponseError" && error.reason === "StatusCode" ? Exit.succeed(error.response) : exit
}

/** A program's own client may return anything. */
const isResponse = (response: HttpClientResponse.HttpClientResponse): boolean => {
  try {
    return typeof response.status === "number"
  } catch {
    return false
  }
}

/** The code for what broke comes from the platform, which may quote anything. */
const scrubbed = ({ hasEnded, next, release }: Body.Body, scrub: (text: string) => string): Body.Body => ({
  hasEnded,
  release,
  next: (then) =>
    next((chunk) => then(chunk._tag === "Broken" ? { ...chunk, code: shownCode(chunk.code, scrub) } : chunk))
})

const shownCode = (code: string, scrub: (text: string) => string): string => Redaction.shown(code, 120, scrub)

/** Servers end the body a moment after `[DONE]`. Some never do. In milliseconds. */
const lingersFor = 1000

/** The most bytes read after a complete answer. The end of a body takes a line or two. */
const lingersOver = 4096

/**
 * A few turns of the scheduler. A call that breaks off its exchange waits no longer than this, and by then whatever can
 * be released at once has been released.
 */
const aMoment = Effect.repeatN(Effect.yieldNow(), 3)

/** An exchange that has begun: the parts of it that exist so far, which are given up together. */
class Ongoing {
  body: Body.Body | undefined
  /** The answer is complete, and only the end of its body is still awaited. */
  private lingers = false
  /** The call has given it up, so it ends with its lingering. */
  private isGivenUp = false

  constructor(
    readonly sent: Sent,
    private readonly connection: Scope.CloseableScope,
    readonly watch: Watch.Watch,
    private readonly watches: Watch.Watches
  ) {}

  /**
   * The answer is complete, and what follows it is of no use. But it is read all the same, because only a body that has
   * been read to its end leaves its connection to the next request.
   */
  readonly complete = (): void => {
    this.lingers = true
    this.breakOffAt(this.watch.now() + lingersFor)
    this.readAway(lingersOver)
    if (this.lingers) this.watches.wake()
  }

  /** Breaks off what has not ended, without waiting until that is done: a client may take for ever. */
  giveUp(): Effect.Effect<void> {
    this.isGivenUp = true
    if (this.lingers) return Effect.void
    this.watches.end(this.watch)
    return this.body?.hasEnded() === true ? Effect.void : this.breakOff
  }

  private readAway(left: number): void {
    this.body?.next((chunk) => {
      if (chunk._tag !== "Bytes") this.endLingering()
      else if (left > chunk.bytes.length) this.readAway(left - chunk.bytes.length)
      else {
        // Too long for the end of a body: it is something else.
        this.breakOffAt(this.watch.now())
        this.watches.wake()
      }
    })
  }

  private breakOffAt(deadline: number): void {
    this.watch.arm(
      () => deadline,
      (fork) => {
        this.endLingering()
        fork(this.breakOff)
      }
    )
  }

  private endLingering(): void {
    this.lingers = false
    this.watch.disarm()
    if (this.isGivenUp) this.watches.end(this.watch)
  }

  private readonly breakOff: Effect.Effect<void> = Effect.suspend(() => {
    this.sent.unsafeInterruptAsFork(FiberId.none)
    const close = Effect.zipRight(this.body?.release ?? Effect.void, Scope.close(this.connection, Exit.void))
    return Effect.zipRight(close, aMoment)
  })
}

/**
 * Where the client is `fetch`, it follows no redirect: `fetch` strips `Authorization` on the way to another origin, but
 * neither `x-api-key` nor `api-key`.
 */
export const unredirected = <R>(context: Context.Context<R>): Context.Context<R> => {
  const init = Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit))
  return Context.add(context, FetchHttpClient.RequestInit, { ...init, redirect: "manual" })
}

const timedOut = (provider: string): Failure.Failure => ({
  _tag: "Transient",
  provider,
  emitted: false,
  reason: "TimedOut",
  clock: "headers"
})

/** The client returned something that is not a response, and would do so again. */
const noResponse = (provider: string): Failure.Failure => ({
  _tag: "InvalidResponse",
  provider,
  emitted: false,
  reason: "NotTheProtocol"
})

/** What an exchange that broke means. */
export const broken = (
  provider: string,
  error: HttpClientError.HttpClientError,
  scrub: (text: string) => string
): Failure.Failure => {
  const system = Body.codeOf(error.cause)
  const code = shownCode(system ?? error.reason, scrub)
  const facts = { provider, emitted: false, code }
  if (system !== undefined && untrusted.has(system)) {
    return { _tag: "InvalidRequest", ...facts, reason: "BadRequest", problem: "UntrustedCertificate" }
  }
  if (error._tag === "RequestError" && error.reason !== "Transport") {
    return { _tag: "InvalidRequest", ...facts, reason: "BadRequest" }
  }
  // The client reads the answer itself, and cannot parse it.
  if (error._tag === "ResponseError" && error.cause instanceof SyntaxError) {
    return { _tag: "InvalidResponse", ...facts, status: error.response.status, reason: "NotTheProtocol" }
  }
  return { _tag: "Transient", ...facts, reason: /TIMEOUT|TIMEDOUT/.test(code) ? "TimedOut" : "Unreachable" }
}

/**
 * The system's codes for a certificate that cannot be verified: those of OpenSSL
 * (https://nodejs.org/api/tls.html#x509-certificate-error-codes), the two of `tls.checkServerIdentity` and Bun's own.
 */
const untrusted: ReadonlySet<string> = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_CRL",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "CERT_SIGNATURE_FAILURE",
  "CRL_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "CRL_NOT_YET_VALID",
  "CRL_HAS_EXPIRED",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "ERROR_IN_CRL_LAST_UPDATE_FIELD",
  "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_CHAIN_TOO_LONG",
  "CERT_REVOKED",
  "INVALID_CA",
  "PATH_LENGTH_EXCEEDED",
  "INVALID_PURPOSE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "HOSTNAME_MISMATCH",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "ERR_TLS_CERT_ALTNAME_FORMAT",
  "UNKNOWN_CERTIFICATE_VERIFICATION_ERROR"
])
