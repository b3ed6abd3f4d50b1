/**
 * One HTTP exchange: no redirect, no span, no longer than its scope. What breaks is a `ProviderError`.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Body from "./Body.js"
import * as ProviderError from "./ProviderError.js"

export interface Options {
  readonly provider: string
  readonly client: HttpClient.HttpClient
  /** From the request to the headers of the answer. */
  readonly timeout: Duration.Duration
}

export type Exchange = (
  request: HttpClientRequest.HttpClientRequest,
  /** Takes the key out of a text. */
  scrub: (text: string) => string
) => Effect.Effect<Answered, ProviderError.ProviderError, Scope.Scope>

/** The headers have come; the body is yet to be read. */
export interface Answered {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly body: Body.Body
}

/**
 * The client's own span is off: it would carry every header of the answer, in which a server may echo the key, and it
 * does not know that `api-key` is a secret.
 */
export const make = ({ client, provider, timeout }: Options): Exchange => {
  const quiet = HttpClient.withScope(HttpClient.withTracerDisabledWhen(client, () => true))
  return (request, scrub) =>
    Effect.suspend(() => {
      let fetched: Response | undefined
      const exchange = fetching(quiet.execute(request), (response) => {
        fetched = response
      })
      return exchange.pipe(
        Effect.mapError((error) => broken(provider, error, scrub)),
        Effect.timeoutFail({ duration: timeout, onTimeout: () => late(provider) }),
        Effect.flatMap((response) => Effect.map(bodyOf(response, fetched), (body) => ({ response, body })))
      )
    })
}

/** `fetch` tells what it returned; the clients of Node show the stream that they read from; the others have theirs. */
const bodyOf = (response: HttpClientResponse.HttpClientResponse, fetched: Response | undefined) => {
  if (fetched?.body) return Body.fromReadableStream(fetched.body)
  const source = Predicate.hasProperty(response, "source") ? response.source : undefined
  const readable = Predicate.hasProperty(source, "body") ? source.body : source
  return Body.isReadable(readable) ? Body.fromReadable(readable) : Body.fromStream(response.stream)
}

/**
 * Where the client is `fetch`, tells of what it returned, and follows no redirect: `fetch` strips `Authorization` on the
 * way to another origin, but neither `x-api-key` nor `api-key`.
 */
export const fetching = <A, E, R>(self: Effect.Effect<A, E, R>, onResponse: (response: Response) => void) =>
  Effect.mapInputContext(self, (context: Context.Context<R>) => {
    const init = Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit))
    const given = Option.getOrElse(Context.getOption(context, FetchHttpClient.Fetch), () => globalThis.fetch)
    const fetch: typeof globalThis.fetch = async (...request) => {
      const response = await given(...request)
      onResponse(response)
      return response
    }
    return context.pipe(
      Context.add(FetchHttpClient.RequestInit, { ...init, redirect: "manual" }),
      Context.add(FetchHttpClient.Fetch, fetch)
    )
  })

const late = (provider: string): ProviderError.ProviderError =>
  new ProviderError.Transient({
    ...ProviderError.nothingSent(provider),
    reason: "TimedOut",
    detail: "no answer came in time"
  })

/** What an exchange that broke means. */
export const broken = (
  provider: string,
  error: HttpClientError.HttpClientError,
  scrub: (text: string) => string
): ProviderError.ProviderError => {
  const code = Body.codeOf(error.cause) ?? error.reason
  const detail = error.cause instanceof Error ? scrub(error.cause.message).slice(0, 800) : undefined
  const facts = { ...ProviderError.nothingSent(provider), code, detail }
  return error._tag === "RequestError" && error.reason !== "Transport"
    ? new ProviderError.InvalidRequest({ ...facts, reason: "BadRequest" })
    : new ProviderError.Transient({ ...facts, reason: /TIMEOUT|TIMEDOUT/.test(code) ? "TimedOut" : "Unreachable" })
}
