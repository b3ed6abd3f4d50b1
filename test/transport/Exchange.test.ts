/** What becomes of a connection, at a real server. */
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, ManagedRuntime, Redacted, Stream, TestClock } from "effect"
import type * as Iteration from "../../src/answer/Iteration.js"
import { MiMo, OpenAiCompatible, Provider, RetryPolicy } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Exchange from "../../src/transport/Exchange.js"
import * as Effort from "../Effort.js"
import { clients, eventually, mimo as mimoAt, quick, serve } from "../Loopback.js"
import { accept, chunk, failed, hello, refused, streamed, whole as wholeAnswer } from "../Wire.js"

const whole = `data: ${JSON.stringify(chunk({ content: "Hi" }, { finish_reason: "stop" }))}\n\ndata: [DONE]\n\n`

/** Answers, and ends the body so many milliseconds later; `undefined`: never. */
const serverThatEnds = (after: number | undefined) =>
  Effect.acquireRelease(
    Effect.async<{
      readonly port: number
      readonly seen: { requests: number; opened: number; closed: number }
      server: Http.Server
    }>((resume) => {
      const seen = { requests: 0, opened: 0, closed: 0 }
      const server = Http.createServer((request, response) => {
        seen.requests++
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" }).write(whole)
        if (after !== undefined) setTimeout(() => response.end(), after)
      })
      server.on("connection", (socket) => {
        seen.opened++
        socket.on("close", () => {
          seen.closed++
        })
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: (server.address() as AddressInfo).port, seen, server }))
      )
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

for (const [name, client] of [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici]
] as const) {
  describe(`over ${name}, after [DONE]`, () => {
    const provider = (port: number) =>
      Layer.provide(
        OpenAiCompatible.layer({
          id: "test",
          baseUrl: `http://127.0.0.1:${port}/v1`,
          model: "m",
          apiKey: Redacted.make("k-1")
        }),
        client
      )

    it.scopedLive("a body that ends a moment later leaves its connection to the next call", () =>
      Effect.gen(function* () {
        const { port, seen } = yield* serverThatEnds(20)
        const call = Effect.zipRight(Stream.runDrain(Provider.stream(hello)), Effect.sleep("60 millis"))
        yield* Effect.provide(Effect.repeatN(call, 9), provider(port))
        // One, but on a machine that is so busy that the body ends later than the next call begins.
        expect(seen.opened).toBeLessThanOrEqual(5)
      })
    )

    it.scopedLive("one that never ends keeps nobody waiting, and is broken off a second later", () =>
      Effect.gen(function* () {
        const { port, seen } = yield* serverThatEnds(undefined)
        const calls = Effect.gen(function* () {
          const reply = yield* Provider.listen(hello, () => undefined)
          expect(reply.text).toBe("Hi")
          expect(seen.closed).toBe(0)
          // The client may open another in the meantime; what counts is that none is left.
          expect(yield* eventually(Effect.sync(() => seen.opened === seen.closed))).toBe(true)
          expect(seen.requests).toBe(1)
        })
        yield* Effect.provide(calls, provider(port))
      })
    )
  })
}

describe("after [DONE], a body that goes on for ever", () => {
  /** Bytes as fast as they are taken. */
  const flood = Effect.acquireRelease(
    Effect.async<{
      readonly port: number
      readonly server: Http.Server
      readonly written: () => number
      readonly open: () => number
    }>((resume) => {
      const sockets: Array<Socket> = []
      const server = Http.createServer((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "text/event-stream" }).write(whole)
        const more = () => {
          while (!response.destroyed && response.write(": more\n\n".repeat(4096)));
        }
        response.on("drain", more)
        more()
      })
      server.on("connection", (socket) => sockets.push(socket))
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            port: (server.address() as AddressInfo).port,
            server,
            written: () => sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
            open: () => sockets.filter(({ destroyed }) => !destroyed).length
          })
        )
      )
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

  for (const [name, client] of clients) {
    it.scopedLive(`is read no further than a few KiB, and broken off, over ${name}`, () =>
      Effect.gen(function* () {
        const { open, port, written } = yield* flood
        const layer = OpenAiCompatible.layer({
          id: "test",
          baseUrl: `http://127.0.0.1:${port}/v1`,
          model: "m",
          apiKey: Redacted.make("k-1")
        })
        const call = Effect.gen(function* () {
          const reply = yield* Provider.listen(hello, () => undefined)
          expect(reply.text).toBe("Hi")
          expect(yield* eventually(Effect.sync(() => open() === 0))).toBe(true)
          // What the sockets of both sides hold, and no more.
          expect(written()).toBeLessThan(8 * 1024 * 1024)
        })
        yield* Effect.provide(call, Layer.provide(layer, client))
      })
    )

    it.scopedLive(`while its consumer pauses, it is broken off as well, over ${name}`, () =>
      Effect.gen(function* () {
        const { open, port } = yield* flood
        const layer = OpenAiCompatible.layer({
          id: "test",
          baseUrl: `http://127.0.0.1:${port}/v1`,
          model: "m",
          apiKey: Redacted.make("k-1")
        })
        const call = Provider.stream(hello).pipe(
          Stream.runForEach(() =>
            Effect.map(eventually(Effect.sync(() => open() === 0)), (closed) => expect(closed).toBe(true))
          )
        )
        yield* Effect.provide(call, Layer.provide(layer, client))
      })
    )
  }
})

describe("a client that fails because of the status", () => {
  const filters: ReadonlyArray<readonly [string, (client: HttpClient.HttpClient) => HttpClient.HttpClient]> = [
    ["filterStatusOk", HttpClient.filterStatusOk],
    ["filterStatus", HttpClient.filterStatus((status) => status === 418)],
    [
      "filterStatusOk, and a tap that reads what it refuses",
      (client) => HttpClient.filterStatusOk(HttpClient.tap(client, ({ text }) => Effect.ignore(text)))
    ]
  ]
  for (const [name, filter] of filters) {
    const through = (client: Layer.Layer<HttpClient.HttpClient>) =>
      Layer.provide(Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, filter)), client)
    describe.each(clients)(`(${name}) over %s`, (_, client) => {
      const at = (script: Gateway.Script) =>
        mimoAt().pipe(Layer.provideMerge(Layer.merge(through(client), serve(script))))
      const failure = Effect.flip(Provider.complete(hello))
      const count = Effect.map(Gateway.requests, (requests) => requests.length)

      it.live("a 401 for a key that was never accepted is AuthRejected after 1 request", () =>
        Effect.gen(function* () {
          expect(yield* failure).toMatchObject({
            _tag: "AuthRejected",
            status: 401,
            attempts: 1,
            detail: expect.stringContaining("Invalid API Key")
          })
          expect(yield* count).toBe(1)
        }).pipe(Effect.provide(at(Array.from({ length: 12 }, () => refused()))))
      )

      it.live("a 400 is InvalidRequest, with the server's words", () =>
        Effect.gen(function* () {
          expect(yield* failure).toMatchObject({
            _tag: "InvalidRequest",
            status: 400,
            attempts: 1,
            detail: "failed with 400"
          })
        }).pipe(Effect.provide(at([failed(400)])))
      )

      it.live("an empty balance is QuotaExceeded", () =>
        Effect.gen(function* () {
          expect(yield* failure).toMatchObject({ _tag: "QuotaExceeded", status: 402, attempts: 1 })
        }).pipe(Effect.provide(at([failed(402)])))
      )

      it.live("Retry-After is heard: an hour fails at once", () =>
        Effect.gen(function* () {
          expect(yield* failure).toMatchObject({
            _tag: "Transient",
            reason: "RateLimited",
            retryAfter: Duration.hours(1),
            attempts: 1
          })
        }).pipe(Effect.provide(at([failed(429, { "retry-after": "3600" })])))
      )

      it.live("an answer is an answer, whatever the client thinks of its status", () =>
        Effect.gen(function* () {
          expect((yield* Provider.complete(hello)).text).toBe("Hello, world")
          expect((yield* Provider.listen(hello, () => undefined)).text).toBe("Hello, world")
        }).pipe(Effect.provide(at([wholeAnswer, streamed])))
      )

      it.live("a known-good key that meets 401, 401, 200 succeeds with 3 requests", () =>
        Effect.gen(function* () {
          yield* accept
          yield* Provider.complete(hello)
          expect(yield* count).toBe(1 + 3)
        }).pipe(Effect.provide(at([wholeAnswer, refused(), refused(), wholeAnswer])))
      )
    })
  }
})

describe("what the platform says of a failure", () => {
  const scrub = (text: string) => text.replaceAll("the-key", "[key]")
  const failing = (cause: unknown) =>
    Exchange.broken(
      "test",
      new HttpClientError.RequestError({ request: HttpClientRequest.get(""), reason: "Transport", cause }),
      scrub
    )

  it("a code that quotes the key is scrubbed, however deep", () => {
    const cause = Object.assign(new Error("no"), { code: "E_the-key" })
    expect(failing(new TypeError("fetch failed", { cause })).code).toBe("E_[key]")
  })

  it("a code has no characters that steer a terminal", () => {
    expect(failing(Object.assign(new Error("no"), { code: "E_\u001b[31mRED\u0007" })).code).toBe("E_RED")
  })

  it("a code of megabytes is cut", () => {
    expect(failing(Object.assign(new Error("no"), { code: "X".repeat(5_000_000) })).code?.length).toBe(120)
  })

  it("is not the server's, so it is no detail", () => {
    const error = failing(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
    expect([error.code, error.detail]).toEqual(["ECONNREFUSED", undefined])
  })

  it.effect("a code that breaks a stream in the middle is scrubbed, too", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
      expect(error).toMatchObject({ reason: "StreamInterrupted", emitted: true })
      expect(JSON.stringify(error)).not.toContain("tp-s7Qx9ZbL2mWv4NcR8kTfH3pJ6yDgA1eU")
      expect(error.code?.length).toBeLessThanOrEqual(120)
    }).pipe(
      Effect.provide(
        Layer.provide(
          MiMo.layer({ apiKey: Redacted.make("tp-s7Qx9ZbL2mWv4NcR8kTfH3pJ6yDgA1eU") }),
          Layer.succeed(
            HttpClient.HttpClient,
            HttpClient.make((request) =>
              Effect.succeed(
                HttpClientResponse.fromWeb(
                  request,
                  new Response(
                    new ReadableStream({
                      start: (controller) =>
                        controller.enqueue(
                          new TextEncoder().encode(`data: ${JSON.stringify(chunk({ content: "Hi" }))}\n\n`)
                        ),
                      pull: (controller) =>
                        controller.error(
                          Object.assign(new Error("no"), {
                            code: `E tp-s7Qx9ZbL2mWv4NcR8kTfH3pJ6yDgA1eU ${"x".repeat(5_000_000)}`
                          })
                        )
                    }),
                    { headers: { "content-type": "text/event-stream" } }
                  )
                )
              )
            )
          )
        )
      )
    )
  )

  it.live("a client that reads the answer itself and takes it for something else is not asked again", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Provider.listen(hello, () => undefined))
      expect(error).toMatchObject({ _tag: "InvalidResponse", reason: "NotTheProtocol", status: 200, attempts: 1 })
    }).pipe(
      Effect.provide(
        mimoAt().pipe(
          Layer.provideMerge(
            Layer.merge(
              Layer.provide(
                Layer.effect(
                  HttpClient.HttpClient,
                  Effect.map(
                    HttpClient.HttpClient,
                    HttpClient.tap(({ json }) => json)
                  )
                ),
                FetchHttpClient.layer
              ),
              serve(Array.from({ length: 12 }, () => streamed))
            )
          )
        )
      )
    )
  )
})

describe("a POST that the server took, and never answered", () => {
  /** Takes the whole request, then breaks the connection: before the headers, or after them. */
  const taker = (answers: boolean) =>
    Effect.acquireRelease(
      Effect.async<{ readonly port: number; readonly server: Http.Server; readonly taken: () => number }>((resume) => {
        let taken = 0
        const server = Http.createServer((request, response) => {
          request.resume().on("end", () => {
            taken++
            if (!answers) return void request.socket.destroy()
            response.writeHead(200, { "content-type": "text/event-stream" })
            response.write(": working\n\n", () => request.socket.destroy())
          })
        })
        server.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed({ port: (server.address() as AddressInfo).port, server, taken: () => taken }))
        )
      }),
      ({ server }) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    )

  const policy =
    (mayPayTwice: boolean | undefined): RetryPolicy.RetryPolicy =>
    (knownGood) =>
      RetryPolicy.standard(knownGood, {
        base: "1 millis",
        cap: "1 millis",
        jitter: 0,
        transientRetries: 3,
        mayPayTwice
      })
  const failure = (port: number, mayPayTwice: boolean | undefined, client: Layer.Layer<HttpClient.HttpClient>) => {
    const baseUrl = `http://127.0.0.1:${port}/v1`
    const layer = OpenAiCompatible.layer({ id: "test", baseUrl, model: "m", policy: policy(mayPayTwice) })
    return Effect.flip(Provider.listen(hello, () => undefined)).pipe(Effect.provide(Layer.provide(layer, client)))
  }

  for (const [name, client] of clients) {
    for (const answers of [false, true]) {
      const when = answers ? "before any output" : "before the headers"
      for (const mayPayTwice of [undefined, true]) {
        it.scopedLive(`broken ${when}, is sent again by default (mayPayTwice: ${mayPayTwice}), over ${name}`, () =>
          Effect.gen(function* () {
            const { port, taken } = yield* taker(answers)
            expect(yield* failure(port, mayPayTwice, client)).toMatchObject({ _tag: "Transient", attempts: 4 })
            expect(taken()).toBe(4)
          })
        )
      }

      it.scopedLive(`broken ${when}, is not sent again with mayPayTwice: false, over ${name}`, () =>
        Effect.gen(function* () {
          const { port, taken } = yield* taker(answers)
          expect(yield* failure(port, false, client)).toMatchObject({ _tag: "Transient", attempts: 1 })
          expect(taken()).toBe(1)
        })
      )
    }

    it.scopedLive(`one that nobody took is sent again all the same, over ${name}`, () =>
      Effect.gen(function* () {
        const { port, server } = yield* taker(false)
        yield* Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
        expect(yield* failure(port, false, client)).toMatchObject({
          reason: "Unreachable",
          code: "ECONNREFUSED",
          attempts: 4
        })
      })
    )

    it.scopedLive(`nor did a host that is not there, over ${name}`, () =>
      Effect.gen(function* () {
        const layer = OpenAiCompatible.layer({
          id: "test",
          baseUrl: "http://nowhere.invalid/v1",
          model: "m",
          policy: policy(false)
        })
        const error = yield* Effect.flip(Provider.complete(hello)).pipe(Effect.provide(Layer.provide(layer, client)))
        expect(error).toMatchObject({ _tag: "Transient", attempts: 4 })
      })
    )
  }
})

describe("given up after any number of steps", () => {
  /** A `fetch` whose bodies count: how many there are that neither ended nor were given up. */
  const counting = () => {
    const left = { bodies: 0, signals: 0 }
    const pieces = [
      ...Gateway.sse([chunk({ content: "Hello, " }), chunk({ content: "world" }, { finish_reason: "stop" }), "[DONE]"])
        .body
    ].filter((piece) => piece instanceof Uint8Array)
    const fetch: typeof globalThis.fetch = async (_, init) => {
      const { signal } = init ?? {}
      left.signals += 1
      const open = { is: true }
      const close = () => {
        left.bodies -= open.is ? 1 : 0
        open.is = false
      }
      await Promise.resolve()
      if (signal?.aborted) throw new Error("aborted")
      left.bodies += 1
      const coming = pieces.values()
      const body = new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            await Promise.resolve()
            const { value } = coming.next()
            if (value !== undefined) return controller.enqueue(value)
            // The end never comes.
            await new Promise(() => undefined)
          },
          cancel: close
        },
        { highWaterMark: 0 }
      )
      signal?.addEventListener("abort", close)
      return new Response(body, { headers: { "content-type": "text/event-stream" } })
    }
    return { fetch, left }
  }

  const ways: ReadonlyArray<readonly [string, Effect.Effect<unknown, Provider.Error, Provider.Provider>]> = [
    ["stream", Stream.runDrain(Provider.stream(hello))],
    ["listen", Provider.listen(hello, () => undefined)]
  ]
  const wraps: ReadonlyArray<readonly [string, (client: HttpClient.HttpClient) => HttpClient.HttpClient]> = [
    ["plain", (client) => client],
    ["wrapped", HttpClient.mapRequest(HttpClientRequest.setHeader("x-more", "1"))],
    ["shown anew", HttpClient.transformResponse(Effect.map((response) => Object.create(response)))]
  ]
  for (const [way, call] of ways) {
    for (const [how, wrap] of wraps) {
      it.effect.each(Effort.some([10, 11, 13, 16, 2048], 1, 1))(
        `${way}, ${how}, leaves no body open (stride %i)`,
        (stride) =>
          Effect.gen(function* () {
            const client = Layer.provide(
              Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, wrap)),
              FetchHttpClient.layer
            )
            for (let steps = 0; steps < 120; steps++) {
              const { fetch, left } = counting()
              const fiber = yield* call.pipe(
                Effect.provide(Layer.provide(MiMo.layer({ apiKey: Redacted.make("k-1") }), client)),
                Effect.provideService(FetchHttpClient.Fetch, fetch),
                Effect.withMaxOpsBeforeYield(stride),
                Effect.fork
              )
              yield* Effect.repeatN(Effect.yieldNow(), steps)
              yield* Fiber.interrupt(fiber)
              yield* TestClock.adjust("2 seconds")
              yield* Effect.repeatN(Effect.yieldNow(), 60)
              expect(left.bodies, `after ${steps} steps`).toBe(0)
              expect(left.signals).toBeLessThanOrEqual(1)
            }
          })
      )
    }
  }

  it("iterate leaves no body open", async () => {
    const after = async (steps: number) => {
      const { fetch, left } = counting()
      const runtime = ManagedRuntime.make(
        Layer.provide(MiMo.layer({ apiKey: Redacted.make("k-1") }), FetchHttpClient.layer)
      )
      const run: Iteration.RunPromise<Provider.Provider> = (effect) =>
        runtime.runPromise(Effect.provideService(effect, FetchHttpClient.Fetch, fetch))
      const loop = Provider.iterate(run, hello)
      const events = Promise.allSettled([loop.next(), loop.next(), loop.next()])
      for (let i = 0; i < steps; i++) await Promise.resolve()
      if (steps % 2 === 0) expect(await loop.return()).toEqual({ done: true, value: undefined })
      else await runtime.dispose()
      await events
      expect(await loop.return()).toEqual({ done: true, value: undefined })
      // A whole answer whose end is waited for is broken off by the clock.
      expect(await Effect.runPromise(eventually(Effect.sync(() => left.bodies === 0))), `after ${steps} steps`).toBe(
        true
      )
    }
    await Promise.all(Array.from({ length: 200 }, (_, steps) => after(steps)))
  })
})

describe("a certificate that cannot be verified", () => {
  const secure = Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly server: Https.Server; readonly met: () => number }>((resume) => {
      let met = 0
      const server = Https.createServer({ key: ownKey, cert: ownCertificate }, (_, response) => void response.end("{}"))
      server.on("connection", () => {
        met++
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: (server.address() as AddressInfo).port, server, met: () => met }))
      )
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

  for (const [name, client] of clients) {
    it.scopedLive(`cannot pass by waiting: one try over ${name}, and the system's word for it`, () =>
      Effect.gen(function* () {
        const { met, port } = yield* secure
        const layer = OpenAiCompatible.layer({
          id: "test",
          baseUrl: `https://127.0.0.1:${port}/v1`,
          model: "m",
          apiKey: Redacted.make("k-1"),
          policy: quick
        })
        const error = yield* Effect.flip(Provider.complete(hello)).pipe(Effect.provide(Layer.provide(layer, client)))
        expect(error).toMatchObject({
          _tag: "InvalidRequest",
          reason: "BadRequest",
          problem: "UntrustedCertificate",
          code: "DEPTH_ZERO_SELF_SIGNED_CERT",
          attempts: 1
        })
        expect(error.detail).toBeUndefined()
        expect(met()).toBe(1)
      })
    )
  }

  for (const code of ["CERT_HAS_EXPIRED", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TLS_CERT_ALTNAME_INVALID"]) {
    it(`${code}, in the cause's cause`, () => {
      const cause = new TypeError("fetch failed", { cause: Object.assign(new Error("no"), { code }) })
      const request = HttpClientRequest.get("")
      const error = Exchange.broken(
        "test",
        new HttpClientError.RequestError({ request, reason: "Transport", cause }),
        (text) => text
      )
      expect(error).toMatchObject({ _tag: "InvalidRequest", problem: "UntrustedCertificate", code })
    })
  }
})

/** Made for this test alone, for 127.0.0.1. Nobody signed it but itself. */
const ownKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHYPVKIr887m2CZVe
qNE7aldmlC8o1LPp17wtbq7UdsWhRANCAARbgm218Dut2v/P7N8Sm/IdXqQDUFgM
NJbLp30SnHzmP7CdZNeI5RBs8VfikUJ7jUo6Xvr1Mngnd/SLAdmE14yD
-----END PRIVATE KEY-----`

const ownCertificate = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUFTS/EwuiL/AdNGMC8owprxfWhPQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDIzMzcwN1oYDzIxMjYxMDMx
MjMzNzA3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARbgm218Dut2v/P7N8Sm/IdXqQDUFgMNJbLp30SnHzmP7CdZNeI5RBs
8VfikUJ7jUo6Xvr1Mngnd/SLAdmE14yDo28wbTAdBgNVHQ4EFgQUSwzxEHuS0wLw
9r+b/ARWiAFyOAYwHwYDVR0jBBgwFoAUSwzxEHuS0wLw9r+b/ARWiAFyOAYwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwCgYIKoZI
zj0EAwIDSAAwRQIhANluDgj+bgug9e5pbpjqVLw4Yf6Y+ISekbU8efIYZNswAiA0
nQvLcrxxmmaH7nAWT3sZMv6MuAK+HkpINssOJxd3Jw==
-----END CERTIFICATE-----`
