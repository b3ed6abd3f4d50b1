/**
 * A gateway that answers by a script and records what it is asked: as an `HttpClient` for tests under `TestClock`, or
 * as a real server. Entry point `knowngood/testing`.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { type Answer, type AnswerTo, type Scripted, status } from "./Answer.js"
import type { Recorded } from "./Recorded.js"

export * from "./Answer.js"
export type { Recorded } from "./Recorded.js"
export * from "./Reply.js"
export type { Counts, End, Event } from "./Said.js"

/**
 * The answers in order, or a function that picks one by the request and its number, from 0. `reply` and its like are
 * such functions, so one alone is a script, too: it answers every request. A request beyond the last answer gets a 500
 * that is not retried and says so.
 */
export type Script = ReadonlyArray<Scripted> | AnswerTo

/** A running gateway. */
export interface Service {
  /** The requests so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<Recorded>>
  /** The base URL, without a path. For a server that listens on every address it is `http://127.0.0.1:…`. */
  readonly url: string
}

/** The tag of the gateway. */
export class Gateway extends Context.Tag("knowngood/testing/Gateway")<Gateway, Service>() {}

/** The requests that the gateway in the context has received so far, oldest first. */
export const requests: Effect.Effect<ReadonlyArray<Recorded>, never, Gateway> = Effect.flatMap(
  Gateway,
  (gateway) => gateway.requests
)

/**
 * An `HttpClient` that answers by the script, and the `Gateway` that records. There is no socket, so every wait is by
 * the `Clock`, and a test under `TestClock` takes no time.
 *
 * @example
 * import { expect, it } from "@effect/vitest"
 * import { Effect, Fiber, Layer, Redacted, TestClock } from "effect"
 * import { Chat, MiMo, Provider } from "knowngood"
 * import { Gateway } from "knowngood/testing"
 *
 * const gateway = Gateway.layer([Gateway.refused(503), Gateway.reply("Hello")])
 * const provider = MiMo.layer({ model: "m", apiKey: Redacted.make("a-key-for-tests") })
 *
 * it.effect("a busy gateway is asked again", () =>
 *   Effect.gen(function* () {
 *     const call = yield* Effect.fork(Provider.complete({ messages: [Chat.user("Hi")] }))
 *     yield* TestClock.adjust("1 second")
 *     expect((yield* Fiber.join(call)).text).toBe("Hello")
 *     expect(yield* Gateway.requests).toHaveLength(2)
 *   }).pipe(Effect.provide(Layer.provideMerge(provider, gateway)))
 * )
 */
export const layer = (script: Script): Layer.Layer<Gateway | HttpClient.HttpClient> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const recorder = new Recorder(script)
      return Layer.merge(
        Layer.succeed(HttpClient.HttpClient, clientOf(recorder)),
        Layer.succeed(Gateway, { requests: recorder.requests, url: "https://gateway.test" })
      )
    })
  )

/** The same gateway as a real server, on the `HttpServer` in the context. Its waits are by the `Clock`, too. */
export const serve = (script: Script): Layer.Layer<Gateway, HttpServerError.ServeError, HttpServer.HttpServer> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const recorder = new Recorder(script)
      const gateway = Layer.effect(
        Gateway,
        HttpServer.addressWith((address) => Effect.succeed({ requests: recorder.requests, url: urlOf(address) }))
      )
      return Layer.merge(gateway, HttpServer.serve(appOf(recorder)))
    })
  )

/**
 * The URL for a client on this machine. A server that listens on every address is found at 127.0.0.1, too; to 0.0.0.0
 * the SDK sends no key, because that is not the address of this machine. IPv6 needs brackets, which the platform leaves
 * out.
 */
const urlOf = (address: HttpServer.Address): string => {
  if (address._tag === "UnixAddress") return HttpServer.formatAddress(address)
  const { hostname, port } = address
  const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}

type Entry = { -readonly [key in keyof Recorded]: Recorded[key] }

/** Answers by the script, and records the requests. */
class Recorder {
  private readonly entries: Array<Entry> = []

  constructor(private readonly script: Script) {}

  readonly requests = Effect.sync(() => this.entries.map((entry) => ({ ...entry })))

  ask(request: Omit<Recorded, "aborted">): readonly [Entry, Answer] {
    const index = this.entries.length
    const entry: Entry = { ...request, aborted: false }
    this.entries.push(entry)
    let answer: Scripted | undefined = typeof this.script === "function" ? this.script : this.script[index]
    while (typeof answer === "function") answer = answer(entry, index)
    return [entry, answer ?? outOfAnswers(index)]
  }
}

/** Not retried, so that a test fails at once and shows why. */
const outOfAnswers = (index: number): Answer =>
  status(
    500,
    { error: { message: `the script has no answer for request ${index + 1}` } },
    { "x-should-retry": "false" }
  )

/** The body as it is sent. `dropped` breaks the connection. */
const stream = (
  answer: Answer,
  entry: Entry,
  dropped: Effect.Effect<never, Dropped>
): Stream.Stream<Uint8Array, Dropped> =>
  Stream.fromIterable(answer.body).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((piece) => {
      if (piece instanceof Uint8Array) return Effect.succeed([piece])
      if (piece === "drop") return dropped
      if (piece === "stall") return Effect.never
      return Effect.as(Effect.sleep(piece.wait), [])
    }),
    Stream.flattenIterables,
    Stream.ensuringWith((exit) => (Exit.isInterrupted(exit) ? markAborted(entry) : Effect.void))
  )

const markAborted = (entry: Entry) =>
  Effect.sync(() => {
    entry.aborted = true
  })

/** The wait before the headers. The client may give up meanwhile, but a server runs its handlers uninterruptibly. */
const untilHeaders = (answer: Answer, entry: Entry): Effect.Effect<void> =>
  answer.after === undefined
    ? Effect.void
    : Effect.interruptible(
        Effect.onInterrupt(Effect.isEffect(answer.after) ? answer.after : Effect.sleep(answer.after), () =>
          markAborted(entry)
        )
      )

/** The statuses whose responses have no body in HTTP. */
const bodiless = new Set([204, 205, 304])

class Dropped {
  readonly _tag = "Dropped"
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

// As a client

const clientOf = (recorder: Recorder): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const [entry, answer] = recorder.ask({
        method: request.method,
        url: url.toString(),
        headers: { ...request.headers },
        body: parsed(bodyOf(request)),
        at: clock.unsafeCurrentTimeMillis()
      })
      yield* untilHeaders(answer, entry)
      if (answer.unreachable) return yield* connectionRefused(request)
      const { headers, status } = answer
      const body = bodiless.has(status)
        ? null
        : yield* Stream.toReadableStreamEffect(stream(answer, entry, Effect.fail(new Dropped())))
      return HttpClientResponse.fromWeb(request, new Response(body, { status, headers }))
    })
  )

const bodyOf = (request: HttpClientRequest.HttpClientRequest): string =>
  request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""

const connectionRefused = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.fail(
    new HttpClientError.RequestError({
      request,
      reason: "Transport",
      cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
    })
  )

// As a server

const appOf = (recorder: Recorder) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const request = yield* HttpServerRequest.HttpServerRequest
    const body = yield* Effect.orDie(request.text)
    const [entry, answer] = recorder.ask({
      method: request.method,
      url: `http://${request.headers["host"]}${request.url}`,
      headers: { ...request.headers },
      body: parsed(body),
      at: clock.unsafeCurrentTimeMillis()
    })
    yield* untilHeaders(answer, entry)
    if (answer.unreachable) return yield* hangUp(request)
    const { headers, status } = answer
    if (bodiless.has(status)) return HttpServerResponse.empty({ status, headers })
    // The empty chunk makes the server send its headers at once: it sends them with the first write.
    const withHeaders = { ...answer, body: [new Uint8Array(0), ...answer.body] }
    return HttpServerResponse.stream(stream(withHeaders, entry, hangUp(request)), { status, headers })
  })

/**
 * Breaks the connection once everything written so far has been sent, where the platform shows its socket (Node, Bun).
 */
const hangUp = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<never, Dropped> =>
  Effect.zipRight(
    Effect.sync(() => {
      const { source } = request
      const socket = Predicate.hasProperty(source, "socket") ? source.socket : undefined
      if (Predicate.hasProperty(socket, "destroySoon") && typeof socket.destroySoon === "function") socket.destroySoon()
    }),
    Effect.fail(new Dropped())
  )
