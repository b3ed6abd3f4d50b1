/** What docs/security.md promises and no other test holds; and that the tests named there and in docs/load.md exist. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { KeyValueStore } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Stream } from "effect"
import { KnownGood, MiMo, OpenAiCompatible, Provider } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Spans from "../Spans.js"
import { hello, plantedKey, streamed, times, whole } from "../Wire.js"

const apiKey = Redacted.make(plantedKey)
const urls = Effect.map(Gateway.requests, (requests) => requests.map(({ url }) => url))

describe("plain http", () => {
  const exposed = ["http://gateway.test/v1", "http://10.0.0.7:8080/v1", "http://127.0.0.1.evil.test", "http://0.0.0.0"]
  const safe = ["http://localhost:8080/v1", "http://127.0.0.1/v1", "http://[::1]:80/v1", "http://ai.localhost/v1"]

  for (const baseUrl of exposed) {
    it.effect(`to ${baseUrl}: a key is not sent`, () =>
      Effect.gen(function* () {
        const provider = yield* MiMo.make({ apiKey, baseUrl })
        for (const call of [provider.complete(hello), Stream.runDrain(provider.stream(hello)), provider.models]) {
          const error = yield* Effect.flip<unknown, Provider.Error, never>(call)
          expect(error).toMatchObject({ _tag: "InvalidRequest", attempts: 0 })
        }
        expect(yield* urls).toEqual([])
      }).pipe(Effect.provide(Gateway.layer([whole])))
    )
  }

  for (const baseUrl of safe) {
    it.effect(`to ${baseUrl}, which is this machine: a key is sent`, () =>
      Effect.gen(function* () {
        yield* (yield* MiMo.make({ apiKey, baseUrl })).complete(hello)
        expect(yield* urls).toHaveLength(1)
      }).pipe(Effect.provide(Gateway.layer([whole])))
    )
  }

  it.effect("with allowInsecure: a key is sent", () =>
    Effect.gen(function* () {
      yield* (yield* MiMo.make({ apiKey, baseUrl: "http://gateway.test/v1", allowInsecure: true })).complete(hello)
      expect((yield* Gateway.requests)[0]?.headers["api-key"]).toBe(plantedKey)
    }).pipe(Effect.provide(Gateway.layer([whole])))
  )

  it.effect("without a key, where none is needed: the request is sent", () =>
    Effect.gen(function* () {
      const provider = yield* OpenAiCompatible.make({ id: "own", baseUrl: "http://gateway.test/v1", model: "m" })
      yield* provider.complete(hello)
      expect(yield* urls).toHaveLength(1)
    }).pipe(Effect.provide(Gateway.layer([whole])))
  )

  it.effect("without a key, where one is needed: AuthMissing, and nothing is sent", () =>
    Effect.gen(function* () {
      const provider = yield* MiMo.make({ baseUrl: "http://gateway.test/v1" })
      expect(yield* Effect.flip(provider.complete(hello))).toMatchObject({ _tag: "AuthMissing", attempts: 0 })
      expect(yield* urls).toEqual([])
    }).pipe(Effect.provide(Gateway.layer([whole])))
  )
})

describe("the memory of accepted keys", () => {
  /** What a fresh store holds after the key was accepted. */
  const remembered = Effect.gen(function* () {
    const written = new Map<string, string>()
    const store = KeyValueStore.makeStringOnly({
      get: (name) => Effect.sync(() => Option.fromNullable(written.get(name))),
      set: (name, value) => Effect.sync(() => void written.set(name, value)),
      remove: (name) => Effect.sync(() => void written.delete(name)),
      clear: Effect.sync(() => written.clear()),
      size: Effect.sync(() => written.size)
    })
    const memory = Layer.provide(KnownGood.layerKeyValueStore(), Layer.succeed(KeyValueStore.KeyValueStore, store))
    const provider = yield* Effect.provide(MiMo.make({ apiKey, baseUrl: "https://gateway.test/v1" }), memory)
    yield* provider.complete(hello)
    yield* Effect.repeat(Effect.yieldNow(), { times: 50 })
    return written
  }).pipe(Effect.provide(Gateway.layer([whole])))

  it.effect("holds a salt, and per key a hash and a date: no key, and no hash that was made elsewhere", () =>
    Effect.gen(function* () {
      const written = yield* remembered
      const names = [...written.keys()].map((name) => name.replace(/[0-9a-f]{64}$/, "<hash>"))
      expect(names.sort()).toEqual(["knowngood/<hash>", "knowngood/salt"])
      const plain = createHash("sha256").update(plantedKey).digest("hex")
      const everything = JSON.stringify([...written])
      for (const secret of [plantedKey, plantedKey.slice(0, 8), plain, plain.slice(0, 8)]) {
        expect(everything).not.toContain(secret)
      }
    })
  )

  it.effect("of two stores differ", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* remembered, yield* remembered]
      expect([...one.keys()].filter((name) => other.has(name))).toEqual(["knowngood/salt"])
      expect(one.get("knowngood/salt")).not.toBe(other.get("knowngood/salt"))
    })
  )
})

describe("the spans of a call", () => {
  it.effect("are only the SDK's own: the client's, which holds every header, is off", () =>
    Effect.gen(function* () {
      const { begun: spans, tracer } = Spans.collect()
      const calls = Effect.all([Provider.complete(hello), Stream.runDrain(Provider.stream(hello))])
      yield* Effect.withTracer(calls, tracer)
      expect(spans.map(({ name }) => name)).toEqual(times(2, "knowngood.attempt"))
      expect(spans.map(({ attributes }) => [...attributes.keys()].sort())).toEqual(times(2, ["provider", "status"]))
    }).pipe(
      Effect.provide(
        Layer.provideMerge(MiMo.layer({ apiKey, baseUrl: "https://gateway.test/v1" }), Gateway.layer([whole, streamed]))
      )
    )
  )
})

for (const [name, least] of [
  ["security", 15],
  ["load", 20]
] as const) {
  describe(`docs/${name}.md`, () => {
    const page = readFileSync(`docs/${name}.md`, "utf8")
    /** `file.test.ts` › _title_ */
    const named = Array.from(page.matchAll(/`([\w./]+\.test\.ts)` › _([^_]+)_/g), ([, file = "", title = ""]) => ({
      file,
      title
    }))

    it("names tests for what it promises", () => {
      expect(named.length).toBeGreaterThan(least)
    })

    for (const { file, title } of named) {
      it(`${file} › ${title} is there`, () => {
        expect(readFileSync(`test/${file}`, "utf8")).toContain(title)
      })
    }
  })
}
