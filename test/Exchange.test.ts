/** What becomes of a connection, at a real server. */
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { FetchHttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { OpenAiCompatible, Provider } from "../src/index.js"
import { eventually } from "./Loopback.js"
import { chunk, hello } from "./Wire.js"

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
  describe(`over ${name}, behind [DONE]`, () => {
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
