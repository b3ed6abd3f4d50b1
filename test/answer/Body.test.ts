/** Which body is read: that of the response that the client returned, as the client shows it. */
import { PassThrough, Readable } from "node:stream"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  HttpClientResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Stream, TestClock } from "effect"
import { codeOf } from "../../src/answer/Body.js"
import { Chat, MiMo, Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { clients, mimo, quick, serve } from "../Loopback.js"
import { chunk, hello, plantedKey, streamed, times, whole } from "../Wire.js"

type Client = HttpClient.HttpClient
type Response_ = HttpClientResponse.HttpClientResponse

const requests = Effect.map(Gateway.requests, (requests) => requests.length)
const utf8 = (text: string) => new TextEncoder().encode(text)

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

const listened = Effect.suspend(() => {
  let told = ""
  const tell = (event: Chat.Event) => {
    if (event._tag === "TextDelta") told += event.text
  }
  return Effect.map(Provider.listen(hello, tell), () => told)
})

const ways: ReadonlyArray<readonly [string, Gateway.Answer, Effect.Effect<string, Provider.Error, Provider.Provider>]> =
  [
    ["complete", whole, Effect.map(Provider.complete(hello), ({ text }) => text)],
    ["stream", streamed, Effect.map(Chat.collect(Provider.stream(hello)), ({ text }) => text)],
    ["listen", streamed, listened]
  ]

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

  for (const [coding, code] of [
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["GZIP", gzipSync]
  ] as const) {
    for (const [way, answer, call] of ways) {
      const bytes = Buffer.concat(answer.body.filter((piece) => piece instanceof Uint8Array))
      const packed = new Uint8Array(code(bytes))
      for (const [cut, pieces] of [
        ["in one piece", [packed]],
        ["byte by byte", Array.from(packed, (byte) => Uint8Array.of(byte))]
      ] as const) {
        it.live(`a body that came as ${coding} though nobody asked, ${cut}, is read by ${way}`, () =>
          Effect.gen(function* () {
            expect(yield* call).toBe("Hello, world")
            expect(yield* requests).toBe(1)
          }).pipe(
            Effect.provide(
              at(
                (client) => client,
                times(12, { ...answer, headers: { ...answer.headers, "content-encoding": coding }, body: pieces })
              )
            )
          )
        )
      }
    }
  }

  it.live("a refusal that came gzipped is classified by its words", () =>
    Effect.gen(function* () {
      const packed = gzipSync(JSON.stringify({ error: { message: "no such tool", code: "bad_tool" } }))
      const answer = Gateway.status(400, "", { "content-encoding": "gzip", "content-type": "application/json" })
      const error = yield* Effect.flip(Provider.complete(hello)).pipe(
        Effect.provide(at((client) => client, [{ ...answer, body: [new Uint8Array(packed)] }]))
      )
      expect(error).toMatchObject({ _tag: "InvalidRequest", code: "bad_tool", detail: "no such tool" })
    })
  )
})

const undici = clients.filter(([name]) => name === "undici")

describe.each(undici)("over %s, which undoes no encoding", (_, client) => {
  const at = (script: Gateway.Script) => mimo().pipe(Layer.provideMerge(Layer.merge(client, serve(script))))
  const brotli = "brotli" in process.versions && Number(process.versions.node.split(".")[0]) >= 24

  for (const [way, answer, call] of ways) {
    it.live(`br, where the platform cannot undo it: ${way} names it, after 1 request`, () =>
      Effect.gen(function* () {
        if (brotli) return expect(yield* call).toBe("Hello, world")
        expect(yield* Effect.flip(call)).toMatchObject({
          _tag: "InvalidResponse",
          reason: "NotTheProtocol",
          preview: "content-encoding: br",
          attempts: 1
        })
      }).pipe(
        Effect.provide(
          at(
            times(12, {
              ...answer,
              headers: { ...answer.headers, "content-encoding": "br" },
              body: [
                new Uint8Array(
                  brotliCompressSync(Buffer.concat(answer.body.filter((piece) => piece instanceof Uint8Array)))
                )
              ]
            })
          )
        )
      )
    )

    it.live(`an encoding that is claimed and not there harms nothing: ${way}`, () =>
      Effect.gen(function* () {
        expect(yield* call).toBe("Hello, world")
      }).pipe(Effect.provide(at([{ ...answer, headers: { ...answer.headers, "content-encoding": "br" } }])))
    )

    it.live(`gzip that is none: ${way} names it, after 1 request`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(call)).toMatchObject({
          _tag: "InvalidResponse",
          reason: "NotTheProtocol",
          preview: "content-encoding: gzip",
          attempts: 1
        })
      }).pipe(
        Effect.provide(
          at(
            times(12, {
              ...answer,
              headers: { ...answer.headers, "content-encoding": "gzip" },
              body: [new Uint8Array(64).fill(1)]
            })
          )
        )
      )
    )
  }

  it.live("a gzipped stream that is held back by nobody comes as it comes", () =>
    Effect.gen(function* () {
      const first = yield* Stream.runHead(Chat.textOnly(Provider.stream(hello)))
      expect(first).toMatchObject({ value: "Hello, " })
    }).pipe(
      Effect.provide(
        at([
          {
            ...streamed,
            headers: { ...streamed.headers, "content-encoding": "gzip" },
            // Flushed after the event, as servers do, but never ended.
            body: [
              new Uint8Array(
                gzipSync(utf8(`data: ${JSON.stringify(chunk({ content: "Hello, " }))}\n\n`), { finishFlush: 2 })
              ),
              "stall"
            ]
          }
        ])
      )
    )
  )
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

describe("a body that takes for ever to be given up", () => {
  const event = (delta: unknown) => utf8(`data: ${JSON.stringify(chunk(delta))}\n\n`)
  const headers = { "content-type": "text/event-stream" }
  /**
   * Its stream's finalizer never ends, and neither does the request, where it is interrupted before there is an answer.
   */
  const stubborn = (answers: boolean, bytes: ReadonlyArray<Uint8Array>) =>
    HttpClient.make((request) =>
      answers
        ? Effect.succeed(
            Object.create(HttpClientResponse.fromWeb(request, new Response()), {
              status: { value: 200 },
              headers: { value: headers },
              stream: {
                value: Stream.ensuring(
                  Stream.concat(Stream.fromIterable(bytes), Stream.never),
                  Effect.uninterruptible(Effect.never)
                )
              }
            })
          )
        : Effect.uninterruptible(Effect.never)
    )
  const at = (answers: boolean, bytes: ReadonlyArray<Uint8Array> = [event({ content: "Hello" })]) =>
    Layer.provide(
      MiMo.layer({ apiKey: Redacted.make(plantedKey), policy: quick, timeouts: { headers: "1 second" } }),
      Layer.succeed(HttpClient.HttpClient, stubborn(answers, bytes))
    )

  it.effect("does not hold a stream whose consumer has enough", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Stream.runHead(Chat.textOnly(Provider.stream(hello))))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.poll(fiber)).toMatchObject({ value: Exit.succeed({ value: "Hello" }) })
    }).pipe(Effect.provide(at(true)))
  )

  it.effect("does not hold a call that is interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Provider.listen(hello, () => undefined))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.poll(fiber))._tag).toBe("Some")
    }).pipe(Effect.provide(at(true)))
  )

  it.effect("nor one that is over", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Provider.listen(hello, () => undefined))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.poll(fiber)).toMatchObject({ value: { value: { text: "Hello" } } })
    }).pipe(
      Effect.provide(
        at(true, [
          event({ content: "Hello" }),
          utf8(`data: ${JSON.stringify(chunk({}, { finish_reason: "stop" }))}\n\ndata: [DONE]\n\n`)
        ])
      )
    )
  )

  it.effect("a request that cannot be given up does not hold the call beyond its clock", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.flip(Provider.complete(hello)))
      yield* Effect.repeatN(TestClock.adjust("1 second"), 60)
      expect(yield* Fiber.poll(fiber)).toMatchObject({ value: { value: { reason: "TimedOut", attempts: 11 } } })
    }).pipe(Effect.provide(at(false)))
  )
})

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

describe("the system's word for what broke", () => {
  it("is found in the causes of an error, and not looked for without end", () => {
    expect(codeOf(new Error("a", { cause: Object.assign(new Error("b"), { code: "ECONNRESET" }) }))).toBe("ECONNRESET")
    const itself = new Error("its own cause")
    itself.cause = itself
    expect(codeOf(itself)).toBeUndefined()
  })
})
