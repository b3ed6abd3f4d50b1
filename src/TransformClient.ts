/**
 * The same calls for other people's clients: an `HttpClient` in, an `HttpClient` out, for any API whose 401 can pass. The
 * key goes only where the credential belongs, the calls wait at its gate, and what is refused for good comes back as the
 * response that it was, so the program above sees what it would have seen.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Body from "./Body.js"
import * as Call from "./Call.js"
import * as Classify from "./Classify.js"
import type * as Credential from "./Credential.js"
import * as Exchange from "./Exchange.js"
import * as Key from "./Key.js"
import type * as ProviderError from "./ProviderError.js"
import * as ResponseBody from "./ResponseBody.js"
import * as RetryPolicy from "./RetryPolicy.js"

export interface Options {
  /** Names the provider in notices and spans. */
  readonly provider: string
  /** The key that is sent, and its flag. A 2xx counts as accepted: what is inside it, only the program above can tell. */
  readonly credential: Credential.Credential
  /** How the key is written into a request. Default `Credential.bearer`. */
  readonly scheme?: Key.Scheme | undefined
  /** Default `RetryPolicy.standard`. */
  readonly policy?: RetryPolicy.RetryPolicy | undefined
  /** Whether the calls with this key wait together when the server cannot take more. Default true. */
  readonly coolDown?: boolean | undefined
  /** Sends the key over plain http to another machine than this one. Default false. */
  readonly allowInsecure?: boolean | undefined
}

/** How a request ended, as the program above is to see it. */
type Outcome = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

/** What is kept of a refusal's body for the program above. */
const bodyLimit = { maxBytes: 64 * 1024, within: Duration.seconds(10) }

export const make =
  (options: Options) =>
  (client: HttpClient.HttpClient): HttpClient.HttpClient => {
    const { credential, policy = RetryPolicy.standard, provider, scheme = Key.bearer } = options
    const call = Call.make({ ...options, policy, scheme, sendKey: "ifPresent" })

    const run = (request: HttpClientRequest.HttpClientRequest): Outcome =>
      Effect.suspend(() => {
        let last: Outcome | undefined
        const send: Call.Send<HttpClientResponse.HttpClientResponse, never> = (attempt) =>
          Effect.catchAll(answered(client, request, attempt), ({ outcome, refusal }) => {
            last = outcome
            return Effect.flatMap(refusal(provider, credential), Effect.fail)
          })
        return Effect.scopedWith((scope) => call({ request, provesKey: true, send }, scope)).pipe(
          Effect.catchAll((error) => last ?? Effect.fail(notSent(request, error)))
        )
      })

    return HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
      Effect.flatMap(run),
      Effect.succeed
    )
  }

/** A request that was refused or broke: what it means, and how the program above is to see it. */
interface Refused {
  readonly outcome: Outcome
  readonly refusal: (provider: string, credential: Credential.Credential) => Effect.Effect<ProviderError.ProviderError>
}

/** Neither a response nor an error that goes up from here knows the authorized request. */
const answered = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  attempt: Call.Attempt
): Effect.Effect<HttpClientResponse.HttpClientResponse, Refused> =>
  client.execute(attempt.request).pipe(
    Effect.mapInputContext((context: Context.Context<never>) => Exchange.watched(context, () => undefined)),
    Effect.matchEffect({
      onFailure: (error) =>
        error._tag === "ResponseError" && error.reason === "StatusCode"
          ? Effect.flatMap(refused(error.response, request, attempt), ({ refusal, response }) =>
              Effect.fail({
                refusal,
                outcome: Effect.fail(
                  new HttpClientError.ResponseError({
                    request,
                    response,
                    reason: "StatusCode",
                    ...(error.description === undefined ? undefined : { description: error.description })
                  })
                )
              })
            )
          : Effect.fail(broken(error, request, attempt)),
      onSuccess: (response) =>
        response.status >= 200 && response.status < 300
          ? Effect.succeed(withRequest(response, request))
          : Effect.flatMap(refused(response, request, attempt), ({ refusal, response }) =>
              Effect.fail({ refusal, outcome: Effect.succeed(response) })
            )
    })
  )

/** The same response, of the request as it came. */
const withRequest = (
  response: HttpClientResponse.HttpClientResponse,
  request: HttpClientRequest.HttpClientRequest
): HttpClientResponse.HttpClientResponse => Object.create(response, { request: { value: request, enumerable: true } })

/** Its body is read to say what it means, so what goes up is the same once more. */
const refused = (
  response: HttpClientResponse.HttpClientResponse,
  request: HttpClientRequest.HttpClientRequest,
  { key }: Call.Attempt
) =>
  Effect.map(beginning(response), (body) => {
    const { headers, status } = response
    const refusal: Refused["refusal"] = (provider, credential) =>
      Effect.zipWith(
        Clock.currentTimeMillis,
        key._tag === "Key" ? credential.isKnownGood(key) : Effect.succeed(false),
        (now, knownGood) =>
          Classify.classify(
            { provider, status, headers, body, now },
            { source: credential.source, key, knownGood, emitted: false }
          )
      )
    return { refusal, response: HttpClientResponse.fromWeb(request, again(status, headers, body)) }
  })

const beginning = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string> =>
  Effect.acquireUseRelease(
    Body.fromStream(response.stream),
    (body) => ResponseBody.prefix(body, bodyLimit),
    ({ release }) => release
  )

/** A browser hides a redirect behind a status of 0, and HTTP gives some statuses no body. */
const again = (status: number, headers: HttpClientResponse.HttpClientResponse["headers"], body: string): Response => {
  if (status < 200 || status > 599) return Response.error()
  const { "content-encoding": _, "content-length": __, ...others } = headers
  return new Response(bodiless.has(status) || body === "" ? null : body, { status, headers: others })
}

const bodiless = new Set([204, 205, 304])

const broken = (
  error: HttpClientError.HttpClientError,
  request: HttpClientRequest.HttpClientRequest,
  { key }: Call.Attempt
): Refused => {
  const meant = (provider: string) => Exchange.broken(provider, error, Key.scrub(key))
  return {
    refusal: (provider) => Effect.succeed(meant(provider)),
    outcome: Effect.fail(
      new HttpClientError.RequestError({
        request,
        reason: error._tag === "RequestError" ? error.reason : "Transport",
        // The client's own cause may quote the request, key and all.
        cause: meant("client"),
        description: meant("client").message
      })
    )
  }
}

/** The key is missing, or must not go there: `cause` is the `ProviderError` that says so. */
const notSent = (
  request: HttpClientRequest.HttpClientRequest,
  error: ProviderError.ProviderError
): HttpClientError.RequestError =>
  new HttpClientError.RequestError({
    request,
    reason: error._tag === "AuthMissing" ? "Encode" : "InvalidUrl",
    cause: error,
    description: error.message
  })
