/**
 * The same retry for other people's clients: an `HttpClient` in, an `HttpClient` out. What is refused for good comes
 * back as the response that it was, so the client above sees what it would have seen.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Body from "./Body.js"
import * as Classify from "./Classify.js"
import * as Credential from "./Credential.js"
import * as Exchange from "./Exchange.js"
import type * as ProviderError from "./ProviderError.js"
import * as ResponseBody from "./ResponseBody.js"
import { RetryObserver } from "./RetryObserver.js"
import * as RetryPolicy from "./RetryPolicy.js"

export interface Options {
  /** Names the provider in notices. */
  readonly provider: string
  /** The key that is sent, and its flag. A 2xx counts as accepted: what is inside it, only the client above can tell. */
  readonly credential: Credential.Credential
  /** How the key is written into a request. Default `Credential.bearer`. */
  readonly scheme?: Credential.Scheme | undefined
  /** Default `RetryPolicy.standard`. */
  readonly policy?: RetryPolicy.RetryPolicy | undefined
}

/** A refused request, and how the client above is to see it. */
interface Refused {
  readonly error: ProviderError.ProviderError
  readonly outcome: Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>
}

/** What is kept of a refusal's body for the client above. */
const bodyLimit = { maxBytes: 64 * 1024, within: Duration.seconds(10) }

export const make =
  (options: Options) =>
  (client: HttpClient.HttpClient): HttpClient.HttpClient =>
    HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
      Effect.flatMap((request) => send(client, request, options)),
      Effect.succeed
    )

const send = (client: HttpClient.HttpClient, request: HttpClientRequest.HttpClientRequest, options: Options) => {
  const { credential, policy = RetryPolicy.standard, provider } = options
  const schedule = policy(credential.knownGood).pipe(
    RetryPolicy.observed((error, output, delay, at) => {
      const { attempt = 1, budget } = RetryPolicy.retryOf(output) ?? { budget: undefined }
      return Effect.flatMap(RetryObserver, ({ onRetry }) => onRetry({ provider, error, attempt, budget, delay, at }))
    }),
    Schedule.mapInput((refused: Refused) => refused.error)
  )
  return once(client, request, options).pipe(
    Effect.retry(schedule),
    Effect.catchAll((refused) => refused.outcome)
  )
}

const once = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  { credential, provider, scheme = Credential.bearer }: Options
): Effect.Effect<HttpClientResponse.HttpClientResponse, Refused> =>
  Effect.gen(function* () {
    const key = yield* credential.read
    const authorized = key._tag === "Key" ? key.authorize(scheme)(request) : request
    const response = yield* client.execute(authorized).pipe(
      Effect.mapInputContext((context: Context.Context<never>) => Exchange.watched(context, () => undefined)),
      Effect.mapError((error) => ({
        error: Exchange.broken(provider, error, Credential.scrub(key)),
        outcome: Effect.fail(error)
      }))
    )
    const { headers, status } = response
    if (status >= 200 && status < 300) {
      if (key._tag === "Key") yield* credential.accepted(key)
      return response
    }
    const body = yield* Effect.acquireUseRelease(
      Body.fromStream(response.stream),
      (body) => ResponseBody.prefix(body, bodyLimit),
      ({ release }) => release
    )
    const now = yield* Clock.currentTimeMillis
    const knownGood = yield* Ref.get(credential.knownGood)
    const sender = { source: credential.source, key, knownGood, emitted: false }
    const same = HttpClientResponse.fromWeb(request, new Response(body === "" ? null : body, { status, headers }))
    return yield* Effect.fail({
      error: Classify.classify({ provider, status, headers, body, now }, sender),
      outcome: Effect.succeed(same)
    })
  })
