/** Which body is read: that of the response that the client returned, as the client shows it. */
import { PassThrough, Readable } from "node:stream"
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  HttpClientResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Stream } from "effect"
import { Chat, MiMo, Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { clients, mimo, quick, serve } from "../Loopback.js"
import { chunk, hello, plantedKey, streamed, times, whole } from "../Wire.js"
import { utf8 } from "./ByHand.js"
import { requests, ways } from "./Ways.js"

type Client = HttpClient.HttpClient
type Response_ = HttpClientResponse.HttpClientResponse

const through = (wrap: (client: Client) => Client, client: Layer.Layer<Client>): Layer.Layer<Client> =>
  Layer.provide(Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, wrap)), client)

const shown = (show: (response: Response_) => Response_) => (client: Client) =>
  HttpClient.transformResponse(client, Effect.map(show))

/** A middleware that makes what it shows louder. */
const loud = (text: string) => text.replaceAll("Hello", "HELLO")
const loudly = (stream: Response_["stream"]) =>
  stream.pipe(
    Stream.decodeText(),
    Stream.map((text) => utf8(loud(text)))
  )

const readers: ReadonlyArray<
  readonly [string, (response: Response_) => Effect.Effect<unknown, HttpClientError.HttpClientError>]
> = [
  ["reads the text", ({ text }) => text],
  ["reads the bytes", ({ arrayBuffer }) => arrayBuffer],
  ["tries to read it as JSON, and minds nothing", ({ json }) => Effect.ignore(json)],
  ["reads the text in a fiber of its own", ({ text }) => Effect.forkDaemon(text)],
  ["asks for the text and lets it be", ({ text }) => Effect.succeed(text)],
  ["does nothing", () => Effect.void]
]

const showing: ReadonlyArray<readonly [string, (response: Response_) => Response_]> = [
  [
    "a response of the platform's with the text changed",
    (response) =>
      HttpClientResponse.fromWeb(response.request, new Response(Stream.toReadableStream(loudly(response.stream))))
  ],
  [
    "a Proxy of the response",
    (response) =>
      new Proxy(response, {
        get: (target, field) => (field === "stream" ? loudly(target.stream) : Reflect.get(target, field, target))
      })
  ],
  [
    "an object made of the response",
    (response) => Object.create(response, { stream: { get: () => loudly(response.stream) } })
  ],
  [
    "an object made of the response, its source and all",
    (response) =>
      Object.create(response, {
        source: { value: Reflect.get(response, "source"), enumerable: true, configurable: true },
        stream: { value: loudly(response.stream), configurable: true }
      })
  ],
  [
    "a class of its own",
    (response) => {
      class Own {
        readonly request = response.request
        readonly status = response.status
        readonly headers = response.headers
        readonly source: unknown = Reflect.get(response, "source")
        get stream() {
          return loudly(response.stream)
        }
      }
      return new Own() as unknown as Response_
    }
  ]
]

describe.each(clients)("a wrapped client, over %s", (_, client) => {
  const at = (wrap: (client: Client) => Client, script: Gateway.Script) =>
    mimo().pipe(Layer.provideMerge(Layer.merge(through(wrap, client), serve(script))))

  for (const [way, answer, call] of ways) {
    for (const [what, read] of readers) {
      it.live(`a tap that ${what}: ${way} gives the answer, after 1 request`, () =>
        Effect.gen(function* () {
          expect(yield* call).toBe("Hello, world")
          expect(yield* requests).toBe(1)
        }).pipe(Effect.provide(at(HttpClient.tap(read), times(12, answer))))
      )

      it.live(`the same behind a client that sends another request than it is given: ${what}, ${way}`, () =>
        Effect.gen(function* () {
          expect(yield* call).toBe("Hello, world")
          expect(yield* requests).toBe(1)
        }).pipe(
          Effect.provide(
            at(
              (client) =>
                HttpClient.transform(HttpClient.tap(client, read), (_, request) =>
                  HttpClient.tap(client, read).execute(HttpClientRequest.setHeader(request, "x-more", "1"))
                ),
              times(12, answer)
            )
          )
        )
      )
    }

    for (const [what, show] of showing) {
      it.live(`what ${what} shows is what ${way} reads`, () =>
        Effect.gen(function* () {
          expect(yield* call).toBe("HELLO, world")
          expect(yield* requests).toBe(1)
        }).pipe(Effect.provide(at(shown(show), times(12, answer))))
      )
    }

    it.live(`an audit tap through the same client never makes ${way} return the audit's answer`, () =>
      Effect.gen(function* () {
        expect(yield* call).toBe("Hello, world")
        expect(yield* requests).toBe(2)
      }).pipe(
        Effect.provide(
          at(
            (client) =>
              HttpClient.tap(client, (response) =>
                client.execute(HttpClientRequest.post(new URL("/audit", response.request.url)))
              ),
            (request) =>
              request.url.endsWith("/audit")
                ? Gateway.json({ choices: [{ message: { content: "filed" }, finish_reason: "stop" }] })
                : answer
          )
        )
      )
    )

    it.live(`a tap that reads the stream to its end leaves nothing: ${way} is a typed error after 1 request`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(call)).toMatchObject({ _tag: "InvalidResponse", reason: "Empty", attempts: 1 })
      }).pipe(
        Effect.provide(
          at(
            HttpClient.tap(({ stream }) => Effect.ignore(Stream.runDrain(stream))),
            times(12, answer)
          )
        )
      )
    )

    it.live(`a tap that reads one chunk and has enough: ${way} is a typed error after 1 request`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(call)).toMatchObject({ _tag: "InvalidResponse", reason: "Empty", attempts: 1 })
      }).pipe(
        Effect.provide(
          at(
            HttpClient.tap(({ stream }) => Effect.ignore(Stream.runDrain(Stream.take(stream, 1)))),
            times(12, { ...answer, body: [...answer.body, { wait: "1 second" }] })
          )
        )
      )
    )
  }
})

describe("a Fetch of the program's own", () => {
  const options = { apiKey: Redacted.make(plantedKey), policy: quick }
  const bytes = Buffer.concat(streamed.body.filter((piece) => piece instanceof Uint8Array))
  const headers = { "content-type": "text/event-stream" }

  /** The outcome, and how often it was asked. */
  const asked = <A, E>(fetch: () => unknown, call: Effect.Effect<A, E, Provider.Provider>) =>
    Effect.gen(function* () {
      let count = 0
      const given = (() => {
        count += 1
        return Promise.resolve(fetch())
      }) as unknown as typeof globalThis.fetch
      const exit = yield* Effect.exit(Effect.timeout(call, "5 seconds")).pipe(
        Effect.provide(MiMo.layer(options)),
        Effect.provide(FetchHttpClient.layer),
        Effect.provideService(FetchHttpClient.Fetch, given)
      )
      return { exit, count }
    })

  const call = Effect.map(Chat.collect(Provider.stream(hello)), ({ text }) => text)

  it.live("that returns one Response twice: an answer, then a typed error after 1 request", () =>
    Effect.gen(function* () {
      const response = new Response(bytes, { headers })
      const first = yield* asked(() => response, call)
      expect(first).toEqual({ exit: Exit.succeed("Hello, world"), count: 1 })
      const second = yield* asked(() => response, Effect.flip(call))
      expect(second).toMatchObject({ exit: { value: { _tag: "InvalidResponse", reason: "Empty" } }, count: 1 })
    })
  )

  it.live("that returns one Response to two at once: an answer and a typed error", () =>
    Effect.gen(function* () {
      const response = new Response(Readable.toWeb(Readable.from([bytes])) as ReadableStream, { headers })
      const both = yield* Effect.all(
        [asked(() => response, Effect.either(call)), asked(() => response, Effect.either(call))],
        {
          concurrency: "unbounded"
        }
      )
      expect(both.map(({ exit }) => exit)).toMatchObject([
        { value: { right: "Hello, world" } },
        { value: { left: { _tag: "InvalidResponse", reason: "Empty" } } }
      ])
    })
  )

  for (const [name, body] of [
    ["a Node stream", () => Readable.from([bytes])],
    ["a Node stream with something still to come", () => new PassThrough().end(bytes)],
    ["a Node stream of 10,000 pieces, at once", () => Readable.from(synchronously(10_000))]
  ] as const) {
    it.live(`whose body is ${name} gives the answer`, () =>
      Effect.gen(function* () {
        const fake = () => ({
          status: 200,
          headers: new Headers(headers),
          body: body(),
          text: () => Promise.reject(new Error("no"))
        })
        expect(yield* asked(fake, call)).toEqual({ exit: Exit.succeed("Hello, world"), count: 1 })
      })
    )
  }

  it.live("whose body is a stream of texts gives the answer", () =>
    Effect.gen(function* () {
      const body = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextDecoder().decode(bytes))
          controller.close()
        }
      })
      expect((yield* asked(() => new Response(body, { headers }), call)).exit).toEqual(Exit.succeed("Hello, world"))
    })
  )

  for (const [name, value] of [
    ["nothing", undefined],
    ["null", null],
    ["a text", "no response"],
    ["an empty object", {}],
    ["a body of nothing known", { status: 200, headers: new Headers(headers), body: 7 }],
    [
      "a stream of numbers",
      new Response(
        new ReadableStream({
          start: (controller) => {
            controller.enqueue(7)
            controller.close()
          }
        }),
        { headers }
      )
    ]
  ] as const) {
    it.live(`that returns ${name}: a typed error, and no second request`, () =>
      Effect.gen(function* () {
        const { count, exit } = yield* asked(() => value, Effect.flip(call))
        expect(exit).toMatchObject({ _tag: "Success", value: { _tag: "InvalidResponse" } })
        expect(count).toBe(1)
      })
    )
  }
})

/** A sentence in 10,000 pieces, none of which has to be waited for. */
function* synchronously(count: number): Generator<Uint8Array> {
  yield utf8(`data: ${JSON.stringify(chunk({ content: "Hello, " }))}\n\n`)
  for (let i = 0; i < count; i++) yield utf8(":\n\n")
  yield utf8(`data: ${JSON.stringify(chunk({ content: "world" }, { finish_reason: "stop" }))}\n\ndata: [DONE]\n\n`)
}

describe("an empty refusal to a client that is made of another", () => {
  // The platform wraps the other's response once more. A body of undici's that has ended and is asked for in one piece
  // throws outside of everything, and ends the process.
  for (const [name, client] of clients) {
    it.live(`is a refusal as every other over ${name}`, () =>
      Effect.gen(function* () {
        expect((yield* Provider.complete(hello)).text).toBe("Hello, world")
        expect(yield* requests).toBe(2)
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            Layer.provide(
              mimo(),
              through(
                (client) =>
                  HttpClient.make((request) => client.execute(HttpClientRequest.setHeader(request, "x-a", "b"))),
                client
              )
            ),
            serve([Gateway.status(503), whole])
          )
        )
      )
    )
  }
})
