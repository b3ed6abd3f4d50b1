/** Bodies that arrive encoded, and bodies that only claim to. */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Chat, Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { clients, mimo, serve } from "../Loopback.js"
import { chunk, hello, streamed, times } from "../Wire.js"
import { utf8 } from "./ByHand.js"
import { requests, ways } from "./Ways.js"

describe.each(clients)("over %s", (_, client) => {
  const at = (script: Gateway.Script) => mimo().pipe(Layer.provideMerge(Layer.merge(client, serve(script))))

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
              at(times(12, { ...answer, headers: { ...answer.headers, "content-encoding": coding }, body: pieces }))
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
        Effect.provide(at([{ ...answer, body: [new Uint8Array(packed)] }]))
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
