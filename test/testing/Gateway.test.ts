/** One script, the same answers: from the scripted layer, and over HTTP through each client. */
import { createServer } from "node:http"
import {
  FetchHttpClient,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse,
  type HttpServerError
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Fiber, Layer, Option, Stream, TestClock } from "effect"
import * as BaseUrl from "../../src/BaseUrl.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { clients, eventually, serve } from "../Loopback.js"

type Asked = Layer.Layer<Gateway.Gateway | HttpClient.HttpClient, HttpServerError.ServeError>

const gateways: ReadonlyArray<readonly [name: string, at: (script: Gateway.Script) => Asked]> = [
  ["layer", Gateway.layer],
  ...clients.map(
    ([name, client]) =>
      [`serve, asked with ${name}`, (script: Gateway.Script) => Layer.merge(client, serve(script))] as const
  )
]

const send = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.gen(function* () {
    const { url } = yield* Gateway.Gateway
    const client = yield* HttpClient.HttpClient
    return yield* client.execute(HttpClientRequest.prependUrl(request, url))
  })

const get = send(HttpClientRequest.get("/"))

const getText = Effect.flatMap(get, (response) => response.text)

/**
 * What arrives of a body, and whether it is then complete, broken off, or still open a moment after this many letters.
 * By default it is read to its end.
 */
const received = (response: HttpClientResponse.HttpClientResponse, letters = Number.POSITIVE_INFINITY) => {
  let text = ""
  const open = Effect.zipRight(eventually(Effect.sync(() => text.length >= letters)), Effect.sleep("100 millis"))
  return response.stream.pipe(
    Stream.runForEach((bytes) => Effect.sync(() => (text += new TextDecoder().decode(bytes)))),
    Effect.as("whole"),
    Effect.catchAll((_: HttpClientError.HttpClientError) => Effect.succeed("broken off")),
    Effect.raceFirst(Effect.as(open, "open")),
    Effect.map((end) => ({ status: response.status, text, end }))
  )
}

const aborted = Effect.map(Gateway.requests, (requests) => requests.map((request) => request.aborted))

const events = Gateway.sse([{ n: 1 }, Gateway.named("ping", {}), Gateway.comment("still here"), "[DONE]"])
const wire = 'data: {"n":1}\n\nevent: ping\ndata: {}\n\n: still here\n\ndata: [DONE]\n\n'

describe.each(gateways)("%s", (_, at) => {
  describe("answers", () => {
    const answers: ReadonlyArray<readonly [string, Gateway.Answer, number, string | undefined, string]> = [
      ["a status without a body", Gateway.status(503), 503, "text/plain", ""],
      ["a status with text", Gateway.status(502, "<h1>Bad gateway</h1>"), 502, "text/plain", "<h1>Bad gateway</h1>"],
      ["a status with JSON", Gateway.status(401, { error: "no" }), 401, "application/json", '{"error":"no"}'],
      ["JSON", Gateway.json([1, "ü", null]), 200, "application/json", '[1,"ü",null]'],
      ["JSON of another type", Gateway.json({}, { headers: { "content-type": "a/b" } }), 200, "a/b", "{}"],
      ["text with a status", Gateway.text("made", { status: 201 }), 201, "text/plain", "made"],
      ["events, names and comments", events, 200, "text/event-stream", wire],
      ["events after a wait each", Gateway.paced("5 millis", events), 200, "text/event-stream", wire]
    ]
    for (const [name, answer, status, type, body] of answers) {
      it.live(name, () =>
        Effect.gen(function* () {
          const response = yield* get
          expect(response.status).toBe(status)
          expect(response.headers["content-type"]).toBe(type)
          expect(yield* response.text).toBe(body)
        }).pipe(Effect.provide(at([answer])))
      )
    }

    for (const status of [204, 205, 304]) {
      it.live(`${status}, which has no body`, () =>
        Effect.gen(function* () {
          const response = yield* get
          expect(response.status).toBe(status)
          expect(yield* response.text).toBe("")
        }).pipe(Effect.provide(at([Gateway.status(status)])))
      )
    }

    it.live("headers", () =>
      Effect.gen(function* () {
        const { headers } = yield* get
        expect(headers).toMatchObject({ "retry-after": "7", "x-request-id": "r-1" })
      }).pipe(Effect.provide(at([Gateway.status(429, "", { "retry-after": "7", "X-Request-Id": "r-1" })])))
    )

    it.live("the script in order, and beyond its end a failure that says so and is not retried", () =>
      Effect.gen(function* () {
        expect(yield* getText).toBe("one")
        expect(yield* getText).toBe("two")
        const response = yield* get
        expect([response.status, response.headers["x-should-retry"]]).toEqual([500, "false"])
        expect(yield* response.text).toContain("no answer for request 3")
      }).pipe(Effect.provide(at([Gateway.text("one"), Gateway.text("two")])))
    )

    it.live("as a function of the request and its number says", () =>
      Effect.gen(function* () {
        const post = (n: number) => send(HttpClientRequest.post("/").pipe(HttpClientRequest.bodyUnsafeJson({ n })))
        const texts = yield* Effect.forEach([10, 20, 30], (n) => Effect.flatMap(post(n), ({ text }) => text))
        expect(texts).toEqual(['POST {"n":10} 0', 'POST {"n":20} 1', 'POST {"n":30} 2'])
      }).pipe(
        Effect.provide(at(({ body, method }, index) => Gateway.text(`${method} ${JSON.stringify(body)} ${index}`)))
      )
    )

    it.live("many requests at once, to each its own", () =>
      Effect.gen(function* () {
        const names = Array.from({ length: 32 }, (_, i) => `/${i}`)
        const texts = yield* Effect.forEach(
          names,
          (name) => Effect.flatMap(send(HttpClientRequest.get(name)), ({ text }) => text),
          { concurrency: "unbounded" }
        )
        expect(texts).toEqual(names)
      }).pipe(
        Effect.provide(at(({ url }) => Gateway.paced("5 millis", Gateway.text(new URL(url, "http://any").pathname))))
      )
    )
  })

  describe("remembers", () => {
    it.live("method, address, headers and the parsed body of each request, oldest first", () =>
      Effect.gen(function* () {
        const { url } = yield* Gateway.Gateway
        yield* send(
          HttpClientRequest.post("/v1/chat?beta=1", { headers: { "X-Key": "k" } }).pipe(
            HttpClientRequest.bodyText('{"model":"m"}', "application/json")
          )
        )
        yield* send(HttpClientRequest.post("/text").pipe(HttpClientRequest.bodyText("not {json", "text/plain")))
        yield* send(HttpClientRequest.get("/models"))
        const [chat, text, models] = yield* Gateway.requests
        expect(chat).toMatchObject({
          method: "POST",
          headers: { "x-key": "k", "content-type": "application/json" },
          body: { model: "m" }
        })
        expect(text).toMatchObject({ method: "POST", body: "not {json" })
        expect(models).toMatchObject({ method: "GET", body: "" })
        expect([chat?.url, text?.url, models?.url]).toEqual([`${url}/v1/chat?beta=1`, `${url}/text`, `${url}/models`])
      }).pipe(Effect.provide(at(() => Gateway.text(""))))
    )

    it.live("when each arrived, by the clock", () =>
      Effect.gen(function* () {
        const before = yield* Clock.currentTimeMillis
        yield* getText
        yield* Effect.sleep("50 millis")
        yield* getText
        const after = yield* Clock.currentTimeMillis
        const [first, second] = (yield* Gateway.requests).map((request) => request.at)
        expect(first).toBeGreaterThanOrEqual(before)
        expect(second).toBeGreaterThanOrEqual((first ?? 0) + 45)
        expect(second).toBeLessThanOrEqual(after)
      }).pipe(Effect.provide(at(() => Gateway.text(""))))
    )
  })

  describe("failures", () => {
    for (const [count, text] of [
      [0, ""],
      [5, "data:"],
      [16, wire.slice(0, 16)],
      [10_000, wire]
    ] as const) {
      it.live(`drop: the headers and ${count} bytes arrive, then the connection breaks`, () =>
        Effect.gen(function* () {
          expect(yield* Effect.flatMap(get, received)).toEqual({ status: 200, text, end: "broken off" })
        }).pipe(Effect.provide(at([Gateway.drop(count, events)])))
      )
    }

    for (const [count, text] of [
      [0, ""],
      [5, "data:"],
      [10_000, wire]
    ] as const) {
      it.live(`stall: the headers and ${count} bytes arrive, then nothing`, () =>
        Effect.gen(function* () {
          const response = yield* get
          expect(yield* received(response, text.length)).toEqual({ status: 200, text, end: "open" })
        }).pipe(Effect.provide(at([Gateway.stall(count, events)])))
      )
    }

    it.live("delay: the headers do not arrive before something is done", () => {
      const done = Effect.runSync(Deferred.make<void>())
      return Effect.gen(function* () {
        const asking = yield* Effect.fork(get)
        expect(yield* eventually(Effect.map(Gateway.requests, ({ length }) => length === 1))).toBe(true)
        yield* Effect.sleep("50 millis")
        expect(Option.isNone(yield* Fiber.poll(asking))).toBe(true)
        yield* Deferred.succeed(done, undefined)
        expect(yield* Effect.flatMap(Fiber.join(asking), ({ text }) => text)).toBe("late")
      }).pipe(Effect.provide(at([Gateway.delay(Deferred.await(done), Gateway.text("late"))])))
    })

    it.live("delay: the headers do not arrive before", () =>
      Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis
        const response = yield* get
        expect((yield* Clock.currentTimeMillis) - started).toBeGreaterThanOrEqual(95)
        expect(yield* response.text).toBe("late")
      }).pipe(Effect.provide(at([Gateway.delay("100 millis", Gateway.text("late"))])))
    )

    it.live("paced: each chunk arrives after its wait", () =>
      Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis
        const response = yield* get
        const times = yield* response.stream.pipe(
          Stream.mapEffect(() => Clock.currentTimeMillis),
          Stream.runCollect,
          Effect.map((times) => [...times].map((time) => time - started))
        )
        expect(times.length).toBe(3)
        for (const [i, time] of times.entries()) expect(time).toBeGreaterThanOrEqual(150 * (i + 1) - 5)
      }).pipe(Effect.provide(at([Gateway.paced("150 millis", Gateway.sse(["1", "2", "3"]))])))
    )

    it.live("unreachable: no answer, only a broken connection", () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(get)).toMatchObject({ _tag: "RequestError", reason: "Transport" })
        expect(yield* getText).toBe("back again")
        expect((yield* Gateway.requests).length).toBe(2)
      }).pipe(Effect.provide(at([Gateway.unreachable, Gateway.text("back again")])))
    )
  })

  describe("aborted", () => {
    it.live("is not an answer that was read to its end", () =>
      Effect.gen(function* () {
        yield* getText
        expect(yield* aborted).toEqual([false])
      }).pipe(Effect.provide(at([events])))
    )

    it.live("is not an answer that is still arriving, until the client gives up", () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const reading = yield* get.pipe(
          Effect.flatMap(({ stream }) => Stream.runForEach(stream, () => Deferred.succeed(begun, undefined))),
          Effect.fork
        )
        yield* Deferred.await(begun)
        expect(yield* aborted).toEqual([false])
        yield* Fiber.interrupt(reading)
        expect(yield* eventually(Effect.map(aborted, ([first]) => first === true))).toBe(true)
      }).pipe(Effect.provide(at([Gateway.stall(5, events)])))
    )

    it.live("is a client that gave up before the headers", () =>
      Effect.gen(function* () {
        const asking = yield* Effect.fork(get)
        expect(yield* eventually(Effect.map(Gateway.requests, ({ length }) => length === 1))).toBe(true)
        yield* Fiber.interrupt(asking)
        expect(yield* eventually(Effect.map(aborted, ([first]) => first === true))).toBe(true)
      }).pipe(Effect.provide(at([Gateway.delay("10 minutes", events)])))
    )

    it.live("is not an answer that the gateway itself broke off", () =>
      Effect.gen(function* () {
        yield* Effect.exit(getText)
        yield* Effect.sleep("50 millis")
        expect(yield* aborted).toEqual([false])
      }).pipe(Effect.provide(at([Gateway.drop(5, events)])))
    )
  })
})

describe("the layer under the test clock", () => {
  it.effect("waits only by the clock", () =>
    Effect.gen(function* () {
      const asked = yield* Effect.fork(Effect.all([getText, Clock.currentTimeMillis]))
      yield* TestClock.adjust("2 hours")
      expect(Option.isNone(yield* Fiber.poll(asked))).toBe(true)
      yield* TestClock.adjust("1 hour")
      expect(yield* Fiber.join(asked)).toEqual([wire, 10_800_000])
    }).pipe(Effect.provide(Gateway.layer([Gateway.delay("1 hour", Gateway.paced("30 minutes", events))])))
  )

  it.effect("records the clock's time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1000)
      yield* getText
      yield* TestClock.adjust("250 millis")
      yield* getText
      expect((yield* Gateway.requests).map(({ at }) => at)).toEqual([1000, 1250])
    }).pipe(Effect.provide(Gateway.layer(() => Gateway.text(""))))
  )
})

describe("the address of serve", () => {
  const at = (host: string | undefined) =>
    Gateway.serve(() => Gateway.text("here")).pipe(
      Layer.provide(
        NodeHttpServer.layerServer(() => createServer(), host === undefined ? { port: 0 } : { port: 0, host })
      )
    )

  for (const [host, url] of [
    ["127.0.0.1", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["0.0.0.0", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["::", /^http:\/\/127\.0\.0\.1:\d+$/],
    [undefined, /^http:\/\/127\.0\.0\.1:\d+$/],
    ["::1", /^http:\/\/\[::1\]:\d+$/],
    ["localhost", /^http:\/\/(127\.0\.0\.1|\[::1\]):\d+$/]
  ] as const) {
    it.live(`on ${host ?? "no host"} is one that the SDK accepts, and that answers`, (context) =>
      Effect.gen(function* () {
        const gateway = yield* Effect.either(Layer.build(at(host)))
        // A machine without IPv6 has no such address.
        if (gateway._tag === "Left") return context.skip()
        const address = Context.get(gateway.right, Gateway.Gateway).url
        expect(address).toMatch(url)
        expect(BaseUrl.isExposed(new URL(address).origin)).toBe(false)
        const client = yield* HttpClient.HttpClient
        expect(yield* Effect.flatMap(client.get(address), ({ text }) => text)).toBe("here")
      }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
    )
  }
})

describe("serve on NodeHttpServer.layerTest", () => {
  it.scopedLive("answers the client of the test layer", () =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const response = yield* client.get("/v1/models")
      expect([response.status, yield* response.text]).toEqual([200, '{"data":[]}'])
      expect(yield* Gateway.requests).toMatchObject([{ method: "GET", aborted: false }])
    }).pipe(Effect.provide(Layer.provideMerge(Gateway.serve([Gateway.json({ data: [] })]), NodeHttpServer.layerTest)))
  )
})
