/**
 * One HTTP exchange: no redirect, no span, no longer than its scope. What breaks is a `ProviderError`.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Body from "./Body.js"
import * as ProviderError from "./ProviderError.js"
import type * as ResponseBody from "./ResponseBody.js"
import * as Watch from "./Watch.js"

export interface Options {
  readonly provider: string
  readonly client: HttpClient.HttpClient
  readonly waits: Waits
}

/** The longest waits, in milliseconds. */
export interface Waits extends ResponseBody.Waits {
  /** From the request to the headers of the answer. */
  readonly headers: number
}

export type Exchange = (
  request: HttpClientRequest.HttpClientRequest,
  /** Takes the key out of a text. */
  scrub: (text: string) => string,
  /** What the answer holds on to is given up with it. */
  scope: Scope.Scope
) => Effect.Effect<Answered, ProviderError.ProviderError>

/** The headers have come; the body is yet to be read. */
export interface Answered extends Omit<ResponseBody.Source, "waits"> {
  readonly response: HttpClientResponse.HttpClientResponse
}

/** It never fails: Effect logs the failure of a fiber that nobody waits for, and this one may quote the key. */
type Sent = Fiber.RuntimeFiber<Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>>

/**
 * The request is made by a fiber of its own, so that it can be given up when the headers are late.
 *
 * The client's own span is off: it would carry every header of the answer, in which a server may echo the key, and it
 * does not know that `api-key` is a secret.
 */
export const make = ({ client, provider, waits }: Options): Exchange => {
  const quiet = HttpClient.withScope(HttpClient.withTracerDisabledWhen(client, () => true))
  // Of no length at all, it would keep the watch awake all the time.
  const shortest = Math.max(1, Math.min(waits.headers, waits.idle, waits.stall))
  const all = new WeakMap<Clock.Clock, Watch.Watches>()

  const watchesBy = (clock: Clock.Clock): Watch.Watches => {
    const watches = all.get(clock) ?? Watch.make(clock, shortest)
    all.set(clock, watches)
    return watches
  }

  /** What there is of an exchange so far. All of it is given up together. */
  const begin = (request: HttpClientRequest.HttpClientRequest, scope: Scope.Scope) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const connection = yield* Scope.make()
      const parts: Parts = { body: undefined, fetched: undefined, isWhole: false, whenOver: () => undefined }
      const execute = Effect.mapInputContext(quiet.execute(request), (context: Context.Context<never>) =>
        Context.add(
          watched(context, (response) => {
            parts.fetched = response
          }),
          Scope.Scope,
          connection
        )
      )
      // A call whose signal had been aborted before it began is interrupted in this pause, and sends nothing.
      const paused = Effect.zipRight(Effect.yieldNow(), Effect.exit(execute))
      const sent = yield* Effect.forkDaemon(Effect.interruptible(paused))
      const watch = new Watch.Watch(clock)
      const watches = watchesBy(clock)
      yield* watches.begin(watch)
      yield* Scope.addFinalizer(
        scope,
        Effect.suspend(() => {
          watches.end(watch)
          return giveUp(parts, connection, sent)
        })
      )
      return { watch, sent, parts }
    })

  const headers = (sent: Sent, watch: Watch.Watch, parts: Parts, scrub: (text: string) => string) =>
    Effect.async<HttpClientResponse.HttpClientResponse, ProviderError.ProviderError>((resume) => {
      const late = watch.now() + waits.headers
      watch.over(
        () => late,
        () => resume(Effect.fail(tooLate(provider)))
      )
      sent.addObserver((ended) => {
        const exit = Exit.flatten(ended)
        if (Exit.isSuccess(exit)) parts.body = bodyOf(exit.value, parts.fetched)
        resume(Effect.mapError(exit, (error) => broken(provider, error, scrub)))
      })
    })

  return (request, scrub, scope) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(begin(request, scope), ({ parts, sent, watch }) =>
        Effect.flatMap(restore(headers(sent, watch, parts, scrub)), (response) => {
          watch.rest()
          const answered = (body: Body.Body): Answered => ({
            response,
            watch,
            body,
            whole: () => readAway(parts, body)
          })
          if (parts.body !== undefined) return Effect.succeed(answered(parts.body))
          return Effect.map(Body.fromStream(response.stream), (body) => {
            parts.body = body
            return answered(body)
          })
        })
      )
    )
}

interface Parts {
  body: Body.Body | undefined
  fetched: Response | undefined
  /** The answer is whole, though its body may not have ended yet. */
  isWhole: boolean
  whenOver: () => void
}

/** Nothing that comes now is of use. But a body that ends leaves its connection to the next request. */
const readAway = (parts: Parts, body: Body.Body): void => {
  parts.isWhole = true
  body.next(({ _tag }) => {
    if (_tag === "Bytes") readAway(parts, body)
    else parts.whenOver()
  })
}

/** Servers end the body a moment after `[DONE]`. Some never do. */
const lingersFor = "1 second"

/** What has not ended is broken off; but behind a whole answer the end is waited for, by nobody who has to. */
const giveUp = (parts: Parts, connection: Scope.CloseableScope, sent: Sent): Effect.Effect<void> => {
  const { body } = parts
  const close = Scope.close(connection, Exit.void)
  if (body === undefined) return Effect.zipRight(Fiber.interrupt(sent), close)
  if (body.isOver()) return Effect.void
  const breakOff = Effect.zipRight(body.release, close)
  if (!parts.isWhole) return breakOff
  const linger = Effect.zipRight(Effect.sleep(lingersFor), breakOff)
  return Effect.map(Effect.forkDaemon(Effect.interruptible(linger)), (fiber) => {
    parts.whenOver = () => fiber.unsafeInterruptAsFork(FiberId.none)
  })
}

/** `fetch` tells what it returned; the clients of Node show the stream that they read from; the others have theirs. */
const bodyOf = (
  response: HttpClientResponse.HttpClientResponse,
  fetched: Response | undefined
): Body.Body | undefined => {
  if (fetched?.body) return Body.fromReadableStream(fetched.body)
  const source = Predicate.hasProperty(response, "source") ? response.source : undefined
  const readable = Predicate.hasProperty(source, "body") ? source.body : source
  return Body.isReadable(readable) ? Body.fromReadable(readable) : undefined
}

/**
 * Where the client is `fetch`, tells of what it returned, and follows no redirect: `fetch` strips `Authorization` on the
 * way to another origin, but neither `x-api-key` nor `api-key`.
 */
export const watched = <R>(
  context: Context.Context<R>,
  onResponse: (response: Response) => void
): Context.Context<R> => {
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
}

const tooLate = (provider: string): ProviderError.ProviderError =>
  new ProviderError.Transient({
    ...ProviderError.nothingSent(provider),
    reason: "TimedOut",
    clock: "headers"
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
