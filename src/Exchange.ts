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
import type * as Scope from "effect/Scope"
import * as ProviderError from "./ProviderError.js"
import * as ResponseBody from "./ResponseBody.js"

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
) => Effect.Effect<HttpClientResponse.HttpClientResponse, ProviderError.ProviderError, Scope.Scope>

/**
 * The client's own span is off: it would carry every header of the answer, in which a server may echo the key, and it
 * does not know that `api-key` is a secret.
 */
export const make = ({ client, provider, timeout }: Options): Exchange => {
  const quiet = HttpClient.withScope(HttpClient.withTracerDisabledWhen(client, () => true))
  return (request, scrub) =>
    withoutRedirects(quiet.execute(request)).pipe(
      Effect.mapError((error) => broken(provider, error, scrub)),
      Effect.timeoutFail({ duration: timeout, onTimeout: () => late(provider) })
    )
}

/** `fetch` strips `Authorization` on the way to another origin, but neither `x-api-key` nor `api-key`. */
export const withoutRedirects = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.contextWithEffect((context: Context.Context<never>) => {
    const init = Context.getOption(context, FetchHttpClient.RequestInit)
    const given = init._tag === "Some" ? init.value : {}
    return Effect.provideService(self, FetchHttpClient.RequestInit, { ...given, redirect: "manual" })
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
  const code = ResponseBody.codeOf(error)
  const detail = error.cause instanceof Error ? scrub(error.cause.message).slice(0, 800) : undefined
  const facts = { ...ProviderError.nothingSent(provider), code, detail }
  return error._tag === "RequestError" && error.reason !== "Transport"
    ? new ProviderError.InvalidRequest({ ...facts, reason: "BadRequest" })
    : new ProviderError.Transient({ ...facts, reason: /TIMEOUT|TIMEDOUT/.test(code) ? "TimedOut" : "Unreachable" })
}
