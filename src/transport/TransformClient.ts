/**
 * The same calls for other people's clients: an `HttpClient` in, an `HttpClient` out, for any API whose 401 can pass.
 * The key goes only where the credential belongs, the calls wait at its gate, and a request that stays refused ends with
 * the response that refused it, so the program above sees what it would have seen.
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as ClientResponse from "../answer/ClientResponse.js"
import * as KeylessResponse from "../answer/KeylessResponse.js"
import * as ResponseBody from "../answer/ResponseBody.js"
import * as BaseUrl from "../BaseUrl.js"
import type * as Credential from "../Credential.js"
import * as Key from "../credential/Key.js"
import type * as ProviderError from "../ProviderError.js"
import type * as RetryPolicy from "../RetryPolicy.js"
import * as Call from "./Call.js"
import * as Exchange from "./Exchange.js"

/** The options of `transformClient`. */
export interface Options {
  /** Names the provider in notices, errors and spans. */
  readonly provider: string
  /**
   * The key that is sent, and its flag. The first host that gets the key owns it. A 2xx counts as accepted: only the
   * program above knows what is inside. Its `concurrency` counts requests until their headers have arrived.
   */
  readonly credential: Credential.Credential
  /** How the key is written into a request. Default `Credential.bearer`. */
  readonly scheme?: Key.Scheme | undefined
  /** A policy, or the options of `RetryPolicy.standard`, which is the default. */
  readonly policy?: RetryPolicy.RetryPolicy | RetryPolicy.Options | undefined
  /** Whether the calls with this key wait together when the server cannot take more. Default true. */
  readonly coolDown?: boolean | undefined
  /** Sends the key over plain http to another machine than this one. Default false. */
  readonly allowInsecure?: boolean | undefined
}

type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse
type Error = ProviderError.ProviderError

/** How a call ended, as the program above is to see it. */
type Outcome = Effect.Effect<Response, HttpClientError.HttpClientError>

/** A request that was refused or broke: what it means, and how the program is to see it if nothing better comes. */
interface Refused {
  readonly error: Error
  /** Takes the same error with the facts of the whole call. */
  readonly outcome: (error: Error) => Outcome
}

const transform = (client: HttpClient.HttpClient, options: Options): HttpClient.HttpClient => {
  const { postprocess, preprocess } = halves(client)
  const transformed = new Transformed(postprocess, options)
  return HttpClient.makeWith(
    Effect.flatMap((request) => transformed.run(request)),
    preprocess
  )
}

class Transformed {
  private readonly scheme: Key.Scheme
  private readonly calls: Call.Calls

  constructor(
    private readonly postprocess: Halves["postprocess"],
    private readonly options: Options
  ) {
    this.scheme = options.scheme ?? Key.bearer
    this.calls = Call.make({ ...options, scheme: this.scheme, sendKey: "always" })
  }

  /** One call for a request that is ready to be sent, but for the key. */
  run(request: Request): Outcome {
    return Effect.suspend(() => {
      const shown = withoutHeader(request, this.scheme.header)
      let last: Refused | undefined
      const send: Call.Send<Outcome, never> = (attempt) =>
        Effect.catchAll(this.send(attempt, shown), (refused) => {
          last = refused
          return Effect.fail(refused.error)
        })
      const answered = Effect.scopedWith((scope) => this.calls.run({ request, provesKey: true, send }, scope))
      return Effect.matchEffect(Effect.zipRight(this.own(request), answered), {
        onSuccess: (outcome) => outcome,
        onFailure: (error) =>
          last === undefined || wasNotSent(error) ? Effect.fail(notSent(shown, error)) : last.outcome(error)
      })
    })
  }

  /** A memory knows a key at a host, so the host comes before the key. A host that must not get the key does not own it. */
  private own(request: Request): Effect.Effect<unknown> {
    const { allowInsecure, credential } = this.options
    const origin = Key.originOf(request)
    const isSafe = origin !== undefined && (allowInsecure === true || !BaseUrl.isExposed(origin))
    return isSafe ? credential.bind(origin) : Effect.void
  }

  private send(attempt: Call.Attempt, request: Request): Effect.Effect<Outcome, Refused> {
    const view: KeylessResponse.View = { request, redact: (text) => Key.redact(attempt.key, text) }
    const answer = sent(this.postprocess(Effect.succeed(attempt.request)), this.scheme, view.redact)
    return Effect.matchEffect(answer, {
      onSuccess: (response) => judged(attempt, response, view, Effect.succeed),
      onFailure: (error) =>
        error._tag === "ResponseError" && error.reason === "StatusCode"
          ? // A client that fails because of the status still has an answer.
            judged(attempt, error.response, view, (response, cause) =>
              Effect.fail(responseError(error, response, view, cause))
            )
          : Effect.fail({
              error: attempt.failed(Exchange.broken(this.options.provider, error, Key.scrub(attempt.key))),
              outcome: (cause) => Effect.fail(brokenOff(error, view, cause))
            })
    })
  }
}

/** A 2xx is handed on. Any other answer is a refusal, which is handed on if nothing better comes. */
const judged = (
  attempt: Call.Attempt,
  response: Response,
  view: KeylessResponse.View,
  outcome: (response: Response, error?: Error) => Outcome
): Effect.Effect<Outcome, Refused> => {
  attempt.span.attribute("status", response.status)
  if (response.status >= 200 && response.status < 300) {
    return Effect.succeed(outcome(KeylessResponse.make(response, view)))
  }
  return Effect.flatMap(beginning(response), (body) => {
    const same = KeylessResponse.withBody(response, body, view)
    const refused = attempt.fail({ _tag: "Refused", body: new TextDecoder().decode(body) }, response)
    return Effect.mapError(refused, (error) => ({ error, outcome: (error) => outcome(same, error) }))
  })
}

/**
 * Puts the key of the credential into every request of a client, and gives it the retries of a provider: a known-good
 * key that is refused is tried again, what may pass is waited out, calls with the same credential wait together, and a
 * key that stays refused is no longer tried.
 *
 * A request that stays refused ends with the response that refused it, with at most 64 KiB of its body. An error is the
 * platform's own, and its `cause` is the `ProviderError` that says what happened: `RequestError` where nothing was sent
 * (no key, another host, plain http) or the connection broke. Neither an error nor a response has the key in it, and a
 * body that a server streams is handed on as it arrives. Over `fetch` no redirect is followed, because that would send
 * the key along.
 *
 * The client's own `mapRequest` (a base URL, say) takes effect before the key is put in. Each try of ours is retried by
 * the client as well, if it has retries of its own.
 *
 * @example
 * import { HttpClient } from "@effect/platform"
 * import { Config, Effect } from "effect"
 * import { Credential, Transport } from "knowngood"
 *
 * const program = Effect.gen(function* () {
 *   const credential = yield* Credential.make({ source: "ACME_KEY", apiKey: Config.redacted("ACME_KEY") })
 *   const client = (yield* HttpClient.HttpClient).pipe(Transport.transformClient({ provider: "acme", credential }))
 *   const response = yield* client.get("https://api.acme.example/v1/reports")
 *   return yield* response.json
 * })
 */
export const make: {
  (client: HttpClient.HttpClient, options: Options): HttpClient.HttpClient
  (options: Options): (client: HttpClient.HttpClient) => HttpClient.HttpClient
} = dual(2, transform)

/** A client of the platform first prepares a request and then sends it. */
interface Halves {
  readonly preprocess: HttpClient.HttpClient.Preprocess<HttpClientError.HttpClientError, never>
  readonly postprocess: HttpClient.HttpClient.Postprocess<HttpClientError.HttpClientError, never>
}

/** The key is put in between the two halves: only then is the whole URL known. */
const halves = (client: HttpClient.HttpClient): Halves =>
  hasHalves(client) ? client : { preprocess: Effect.succeed, postprocess: Effect.flatMap(client.execute) }

/** The platform's types do not show the two halves. */
const hasHalves = (client: HttpClient.HttpClient): client is HttpClient.HttpClient & Halves =>
  isFunction(client, "preprocess") && isFunction(client, "postprocess")

const isFunction = (value: object, name: string): boolean =>
  Predicate.hasProperty(value, name) && typeof value[name] === "function"

/** A span of the client's own shows the headers of the request, except those that it is told to redact. */
const sent = (answer: Outcome, scheme: Key.Scheme, redact: KeylessResponse.View["redact"]): Outcome => {
  const secret = scheme.header.toLowerCase()
  return answer.pipe(
    Effect.mapInputContext((context: Context.Context<never>) => Exchange.unredirected(context)),
    Effect.locallyWith(Headers.currentRedactedNames, (names) => (names.includes(secret) ? names : [...names, secret])),
    Effect.catchAllDefect((defect) => Effect.die(KeylessResponse.keylessCause(defect, redact)))
  )
}

/** The program may have put in a key itself. Ours replaces it, and may be the same. */
const withoutHeader = (request: Request, header: string): Request =>
  header.toLowerCase() in request.headers ? HttpClientRequest.setHeader(request, header, "[redacted]") : request

/** How much of a refusal's body is read, which is also what the program above gets. */
const bodyLimit = { maxBytes: 64 * 1024, within: Duration.seconds(10) }

const beginning = (response: Response): Effect.Effect<Uint8Array<ArrayBuffer>> =>
  Effect.acquireUseRelease(
    ClientResponse.body(response),
    (body) => ResponseBody.beginning(body, bodyLimit),
    ({ release }) => release
  )

const responseError = (
  { description, reason }: HttpClientError.ResponseError,
  response: Response,
  { redact, request }: KeylessResponse.View,
  cause: Error | undefined
): HttpClientError.ResponseError =>
  new HttpClientError.ResponseError({
    request,
    response,
    reason,
    ...(cause === undefined ? undefined : { cause }),
    ...(description === undefined ? undefined : { description: redact(description) })
  })

/** The client's own cause may quote the request, key and all. */
const brokenOff = (
  error: HttpClientError.HttpClientError,
  view: KeylessResponse.View,
  cause: Error
): HttpClientError.HttpClientError =>
  error._tag === "ResponseError"
    ? responseError(error, KeylessResponse.make(error.response, view), view, cause)
    : new HttpClientError.RequestError({
        request: view.request,
        reason: error.reason,
        cause,
        description: cause.message
      })

/** Whether nothing was sent: an error of the server has a status, and one of the system a code. */
const wasNotSent = ({ code, status }: Error): boolean => code === undefined && status === undefined

const notSent = (request: Request, cause: Error): HttpClientError.RequestError => {
  const isAboutUrl = cause._tag === "InvalidRequest" && cause.problem !== "BadHeader"
  return new HttpClientError.RequestError({
    request,
    reason: isAboutUrl ? "InvalidUrl" : "Encode",
    cause,
    description: cause.message
  })
}
