/**
 * A gateway that answers by a script and remembers what it was asked: as an `HttpClient` layer for tests under
 * `TestClock`, and as a real server. Entry point `knowngood/testing`.
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
import { type Answer, status } from "./Answer.js"

export * from "./Answer.js"

/** The answers in order, or a function of the request and its number, from 0. */
export type Script = ReadonlyArray<Answer> | ((request: Recorded, index: number) => Answer)

/** A request that came in. */
export interface Recorded {
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string | undefined }
  /** As sent; JSON parsed. */
  readonly body: unknown
  /** By the `Clock`, in milliseconds. */
  readonly at: number
  /** Whether the client gave up before the body was sent to its end. */
  readonly aborted: boolean
}

export interface Service {
  /** What was asked so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<Recorded>>
  /** The base address. `http://127.0.0.1:…` for a server that listens on every address. */
  readonly url: string
}

export class Gateway extends Context.Tag("knowngood/testing/Gateway")<Gateway, Service>() {}

export const requests: Effect.Effect<ReadonlyArray<Recorded>, never, Gateway> = Effect.flatMap(
  Gateway,
  (gateway) => gateway.requests
)

/** An `HttpClient` that asks the script, and the `Gateway` that remembers. No socket, so every wait is the `Clock`'s. */
export const layer = (script: Script): Layer.Layer<Gateway | HttpClient.HttpClient> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const book = new Book(script)
      return Layer.merge(
        Layer.succeed(HttpClient.HttpClient, clientOf(book)),
        Layer.succeed(Gateway, { requests: book.requests, url: "https://gateway.test" })
      )
    })
  )

/** The same as a real server, on the `HttpServer` in the context. */
export const serve = (script: Script): Layer.Layer<Gateway, HttpServerError.ServeError, HttpServer.HttpServer> =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const book = new Book(script)
      const gateway = Layer.effect(
        Gateway,
        HttpServer.addressWith((address) => Effect.succeed({ requests: book.requests, url: urlOf(address) }))
      )
      return Layer.merge(gateway, HttpServer.serve(appOf(book)))
    })
  )

/**
 * Where a client of this machine finds the server. One that listens everywhere is here, too; the SDK sends no key to
 * 0.0.0.0, which is no address of this machine's. IPv6 goes in brackets, which the platform's own words leave out.
 */
const urlOf = (address: HttpServer.Address): string => {
  if (address._tag === "UnixAddress") return HttpServer.formatAddress(address)
  const { hostname, port } = address
  const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}

type Entry = { -readonly [key in keyof Recorded]: Recorded[key] }

class Book {
  private readonly entries: Array<Entry> = []

  constructor(private readonly script: Script) {}

  readonly requests = Effect.sync(() => this.entries.map((entry) => ({ ...entry })))

  ask(request: Omit<Recorded, "aborted">): readonly [Entry, Answer] {
    const index = this.entries.length
    const entry: Entry = { ...request, aborted: false }
    this.entries.push(entry)
    const answer = typeof this.script === "function" ? this.script(entry, index) : this.script[index]
    return [entry, answer ?? beyond(index)]
  }
}

/** Visible in any test: a failure that is not retried and says what it is. */
const beyond = (index: number): Answer =>
  status(
    500,
    { error: { message: `the script has no answer for request ${index + 1}` } },
    { "x-should-retry": "false" }
  )

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
    Stream.ensuringWith((exit) => (Exit.isInterrupted(exit) ? abort(entry) : Effect.void))
  )

const abort = (entry: Entry) =>
  Effect.sync(() => {
    entry.aborted = true
  })

/** The wait before the headers, in which a client may give up. A server runs its handlers uninterruptibly. */
const waited = (answer: Answer, entry: Entry): Effect.Effect<void> =>
  answer.after === undefined
    ? Effect.void
    : Effect.interruptible(
        Effect.onInterrupt(Effect.isEffect(answer.after) ? answer.after : Effect.sleep(answer.after), () =>
          abort(entry)
        )
      )

/** Statuses that HTTP gives no body. */
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

const clientOf = (book: Book): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const [entry, answer] = book.ask({
        method: request.method,
        url: url.toString(),
        headers: { ...request.headers },
        body: parsed(bodyOf(request)),
        at: clock.unsafeCurrentTimeMillis()
      })
      yield* waited(answer, entry)
      if (answer.unreachable) return yield* refused(request)
      const { headers, status } = answer
      const body = bodiless.has(status)
        ? null
        : yield* Stream.toReadableStreamEffect(stream(answer, entry, Effect.fail(new Dropped())))
      return HttpClientResponse.fromWeb(request, new Response(body, { status, headers }))
    })
  )

const bodyOf = (request: HttpClientRequest.HttpClientRequest): string =>
  request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""

const refused = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.fail(
    new HttpClientError.RequestError({
      request,
      reason: "Transport",
      cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
    })
  )

// As a server

const appOf = (book: Book) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const request = yield* HttpServerRequest.HttpServerRequest
    const body = yield* Effect.orDie(request.text)
    const [entry, answer] = book.ask({
      method: request.method,
      url: `http://${request.headers["host"]}${request.url}`,
      headers: { ...request.headers },
      body: parsed(body),
      at: clock.unsafeCurrentTimeMillis()
    })
    yield* waited(answer, entry)
    if (answer.unreachable) return yield* hangUp(request)
    const { headers, status } = answer
    if (bodiless.has(status)) return HttpServerResponse.empty({ status, headers })
    // An empty chunk first: a server sends its headers with the first write.
    const begun = { ...answer, body: [new Uint8Array(0), ...answer.body] }
    return HttpServerResponse.stream(stream(begun, entry, hangUp(request)), { status, headers })
  })

/**
 * Breaks the connection under the request once what was written is out, where the platform lets us at its socket (Node
 * and Bun do).
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
