/** The example service, over real sockets: between its clients and a gateway that is scripted. */
import { createServer } from "node:http"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpServer } from "@effect/platform"
import { NodeHttpServer, NodeSocket } from "@effect/platform-node"
import { RpcClient, RpcSerialization } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, LogLevel, Schema, Stream } from "effect"
import { Chat, Provider, ProviderError } from "knowngood"
import { Gateway } from "knowngood/testing"
import { Piece } from "../../docs/examples/service/Api.js"
import { overHttp, overRpc } from "../../docs/examples/service/Client.js"
import { service } from "../../docs/examples/service/Server.js"
import { connections, eventually, mimo, serve } from "../Loopback.js"
import type { Setup } from "../Wire.js"

const question = { messages: [Chat.user("Why is the sky blue?")] }

const delta = (content: string) => ({ choices: [{ delta: { content } }] })
const end = { model: "m", choices: [{ delta: {}, finish_reason: "stop" }], usage: { prompt_tokens: 3 } }
const answer = Gateway.sse([delta("Be"), delta("cause"), end, "[DONE]"])
const whole = Gateway.json({ model: "m", choices: [{ message: { content: "Because" }, finish_reason: "stop" }] })

/** The gateway, the service that asks it, and where the service is. */
const running = (script: Gateway.Script, setup: Setup = {}) =>
  service.pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
    Layer.provide(mimo(setup)),
    Layer.provideMerge(serve(script)),
    Layer.provideMerge(FetchHttpClient.layer),
    Layer.provide(Logger.minimumLogLevel(LogLevel.None))
  )

const url = HttpServer.addressWith((address) =>
  Effect.succeed(address._tag === "TcpAddress" ? `127.0.0.1:${address.port}` : "nowhere")
)

const clients = [
  ["HTTP", Layer.unwrapEffect(Effect.map(url, (host) => overHttp(`http://${host}`)))],
  [
    "RPC",
    Layer.unwrapEffect(
      Effect.map(url, (host) =>
        overRpc.pipe(
          Layer.provide(RpcClient.layerProtocolSocket()),
          Layer.provide(RpcSerialization.layerNdjson),
          Layer.provide(NodeSocket.layerWebSocket(`ws://${host}/rpc`))
        )
      )
    )
  ]
] as const

const post = (path: string, body: unknown) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(`http://${yield* url}${path}`), body)
    return yield* client.execute(request)
  })

describe("an answer", () => {
  for (const [name, client] of clients) {
    it.live(`streams over ${name}, and is complete`, () =>
      Effect.gen(function* () {
        const events = Array.from(yield* Stream.runCollect(Provider.stream(question)))
        expect(events.slice(0, 2)).toEqual([
          { _tag: "TextDelta", text: "Be" },
          { _tag: "TextDelta", text: "cause" }
        ])
        expect(events.at(-1)).toStrictEqual({
          _tag: "Finish",
          reason: "stop",
          rawReason: "stop",
          usage: { ...Chat.unknownUsage, inputTokens: 3 },
          model: "m",
          id: undefined
        })
        expect((yield* Provider.complete(question)).text).toBe("Because")
      }).pipe(
        Effect.provide(client),
        Effect.provide(running((request) => ((request.body as { stream?: boolean }).stream ? answer : whole)))
      )
    )
  }

  it.live("comes as server-sent events with a 200, each a piece", () =>
    Effect.gen(function* () {
      const response = yield* post("/stream", question)
      expect(response.status).toBe(200)
      expect(response.headers["content-type"]).toBe("text/event-stream")
      const frames = (yield* response.text).split("\n\n").slice(0, -1)
      expect(frames.map((frame) => frame.slice(0, 6))).toEqual(frames.map(() => "data: "))
      const pieces = frames.map((frame) => Schema.decodeSync(Piece)(frame.slice(6)))
      expect(pieces.map(({ _tag }) => _tag)).toEqual(["TextDelta", "TextDelta", "Finish"])
    }).pipe(Effect.provide(running([answer])))
  )
})

const refused = (status: number, error: object, headers = {}) => Gateway.status(status, { error }, headers)

/** What the gateway answers, for each tag, and what the service's clients get. */
const failures: ReadonlyArray<
  readonly [tag: string, status: number, script: Gateway.Answer, facts: object, setup?: Setup]
> = [
  ["AuthMissing", 503, whole, { problem: "Absent" }, { key: undefined }],
  ["AuthRejected", 502, refused(401, { message: "Invalid API Key", code: "invalid_key" }), { knownGood: false }],
  ["Transient", 429, refused(429, { message: "Slow down" }, { "retry-after": "90" }), { reason: "RateLimited" }],
  ["Transient", 503, Gateway.status(503, "busy", { "x-should-retry": "false" }), { reason: "Overloaded" }],
  ["QuotaExceeded", 402, refused(402, { message: "Insufficient balance" }), {}],
  ["InvalidRequest", 400, refused(400, { message: "No such thing" }), { reason: "BadRequest" }],
  ["InvalidResponse", 502, Gateway.text("<html>login</html>", { headers: { "content-type": "text/html" } }), {}]
]

describe("an error before the first event", () => {
  for (const [tag, status, script, facts, setup] of failures) {
    // A new one for each call: the first `retry-after` closes the service's gate for the next.
    const gateway = () => running(() => script, setup)

    it.live(`${tag} is answered with ${status}, and tells nothing of the key`, () =>
      Effect.gen(function* () {
        for (const path of ["/stream", "/ask"]) {
          const { body, response } = yield* Effect.gen(function* () {
            const response = yield* post(path, question)
            return { response, body: yield* response.text }
          }).pipe(Effect.provide(gateway()))
          expect(response.status).toBe(status)
          expect(response.headers["retry-after"]).toBe(status === 429 ? "90" : undefined)
          expect(JSON.parse(body)).toMatchObject({ _tag: tag, ...facts })
          expect(body).not.toMatch(/source|fingerprint|MIMO_API_KEY|detail|127\.0\.0\.1/)
        }
      })
    )

    for (const [name, client] of clients) {
      it.live(`${tag} with ${status} is the same class for a client over ${name}`, () =>
        Effect.gen(function* () {
          for (const call of [Stream.runDrain(Provider.stream(question)), Provider.complete(question)]) {
            const error = yield* Effect.flip<unknown, Provider.Error, Provider.Provider>(call).pipe(
              Effect.provide(client),
              Effect.provide(gateway())
            )
            expect(error).toMatchObject({ _tag: tag, provider: "mimo", ...facts })
            expect(ProviderError.isProviderError(error)).toBe(true)
          }
        })
      )
    }
  }
})

describe("an error after the first event", () => {
  const torn = running([Gateway.drop(60, answer)])

  for (const [name, client] of clients) {
    it.live(`comes behind the events over ${name}, with what had arrived`, () =>
      Effect.gen(function* () {
        const seen: Array<Chat.Event> = []
        const error = yield* Effect.flip(Provider.listen(question, (event) => seen.push(event)))
        expect(seen).toEqual([{ _tag: "TextDelta", text: "Be" }])
        expect(error).toMatchObject({ _tag: "Transient", reason: "StreamInterrupted", emitted: true, partial: "Be" })
        expect(error.history).toEqual([])
      }).pipe(Effect.provide(client), Effect.provide(torn))
    )
  }
})

describe("a request that is none", () => {
  it.live("is a 400 of the service, and nothing is asked of the provider", () =>
    Effect.gen(function* () {
      for (const body of [{}, { messages: [{ role: "root", content: "hi" }] }, { messages: "hi" }]) {
        for (const path of ["/ask", "/stream"]) expect((yield* post(path, body)).status).toBe(400)
      }
      expect(yield* Gateway.requests).toEqual([])
    }).pipe(Effect.provide(running([])))
  )

  it.live("chooses neither model nor tools", () =>
    Effect.gen(function* () {
      expect((yield* post("/ask", { ...question, model: "dearest", extra: { n: 9 } })).status).toBe(200)
      const [{ body } = { body: {} }] = yield* Gateway.requests
      expect(body).not.toMatchObject({ model: "dearest" })
      expect(body).not.toHaveProperty("n")
    }).pipe(Effect.provide(running([whole])))
  )
})

describe("a client that goes away", () => {
  const isAborted = Effect.map(Gateway.requests, ([first]) => first?.aborted === true)

  for (const [name, client] of clients) {
    it.live(`over ${name}, after the first event, ends the request to the provider`, () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const call = yield* Provider.stream(question).pipe(
          Stream.runForEach(() => Deferred.succeed(begun, undefined)),
          Effect.fork
        )
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(call)
        expect(yield* eventually(isAborted)).toBe(true)
      }).pipe(Effect.provide(client), Effect.provide(running([Gateway.stall(60, answer)])))
    )

    it.live(`over ${name}, before the first event, ends it, too`, () =>
      Effect.gen(function* () {
        const call = yield* Effect.fork(Stream.runDrain(Provider.stream(question)))
        yield* eventually(Effect.map(Gateway.requests, ({ length }) => length === 1))
        yield* Fiber.interrupt(call)
        expect(yield* eventually(isAborted)).toBe(true)
      }).pipe(Effect.provide(client), Effect.provide(running([Gateway.delay(Effect.never, answer)])))
    )
  }
})

describe("a client that reads slowly", () => {
  const piece = delta("x".repeat(64 * 1024))
  const pieces = 2000
  const long = running([Gateway.sse([...Array.from({ length: pieces }, () => piece), end, "[DONE]"])])

  for (const [name, client] of clients) {
    it.live(`over ${name} holds the provider back`, () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const call = yield* Provider.stream(question).pipe(
          Stream.rechunk(1),
          Stream.runForEach(() => Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)),
          Effect.fork
        )
        yield* Deferred.await(begun)
        // Until nothing more is written: whatever lies between has taken what it can.
        let [before, after] = [-1, yield* connections.written]
        while (before !== after) {
          yield* Effect.sleep("300 millis")
          ;[before, after] = [after, yield* connections.written]
        }
        expect(after).toBeGreaterThan(0)
        expect(after).toBeLessThan((pieces * 64 * 1024) / 2)
        yield* Fiber.interrupt(call)
      }).pipe(Effect.provide(client), Effect.provide(long))
    )
  }
})

describe("a service that fails itself", () => {
  const at = (answer: Gateway.Answer) => Layer.provide(overHttp("http://service.test"), Gateway.layer([answer]))
  const piece = (event: Chat.Event) => Schema.encodeSync(Piece)(event)
  const hi = piece({ _tag: "TextDelta", text: "Hi" })

  for (const [title, answer, facts] of [
    ["cuts an answer off", Gateway.sse([hi]), { _tag: "Transient", reason: "StreamInterrupted" }],
    [
      "breaks the connection",
      Gateway.drop(20, Gateway.sse([hi, hi])),
      { _tag: "Transient", reason: "StreamInterrupted" }
    ],
    ["cannot be reached", Gateway.unreachable, { _tag: "Transient", reason: "Unreachable" }],
    ["is a page", Gateway.text("<html>", { status: 502 }), { _tag: "InvalidResponse", reason: "NotTheProtocol" }],
    ["writes no piece", Gateway.sse(["{}"]), { _tag: "InvalidResponse", reason: "NotTheProtocol" }]
  ] as const) {
    it.effect(`and ${title} is told by the same tags`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(Stream.runDrain(Provider.stream(question)))).toMatchObject(facts)
      }).pipe(Effect.provide(at(answer)))
    )
  }
})

describe("the document of the service", () => {
  it.live("is served, and names each status", () =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const document = yield* Effect.flatMap(client.get(`http://${yield* url}/openapi.json`), ({ json }) => json)
      expect(document).toMatchObject({
        paths: { "/stream": { post: { responses: { 200: {}, 429: {}, 503: {} } } } }
      })
    }).pipe(Effect.provide(running([])))
  )
})
