/** What calls must tolerate in real clocks and clients: they are early, they jump, and they hide redirects. */
import { FetchHttpClient } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Redacted } from "effect"
import { MiMo, Provider } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { quick } from "./Loopback.js"
import { accept, hello, plantedKey, refused, whole } from "./Wire.js"

const options = { apiKey: Redacted.make(plantedKey), policy: quick }

/** A clock that advances by a millisecond whenever it is read, and whose timers fire this much too early. */
const early = (millis: number): Clock.Clock => {
  let now = 1_000_000
  const look = () => now++
  return Object.assign(Clock.make(), {
    unsafeCurrentTimeMillis: look,
    currentTimeMillis: Effect.sync(look),
    // The calls' timeouts are minutes, and never fire.
    sleep: (duration: Duration.Duration) =>
      Duration.toMillis(duration) > 1000
        ? Effect.never
        : Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => {
              now += Math.max(0, Duration.toMillis(duration) - millis)
            })
          )
  })
}

describe("a refused known-good key waits for its turn", () => {
  // Node's timers may fire a millisecond early, by the clock that a program reads.
  for (const millis of [0, 1, 2, 3, 4, 5]) {
    it.live(`and gets it, even if timers fire ${millis} ms early`, () =>
      Effect.gen(function* () {
        yield* accept
        expect((yield* Provider.complete(hello)).text).toBe("Hello, world")
        expect((yield* Gateway.requests).length).toBe(1 + 3)
      }).pipe(
        Effect.provide(Layer.provideMerge(MiMo.layer(options), Gateway.layer([whole, refused(), refused(), whole]))),
        Effect.withClock(early(millis))
      )
    )
  }
})

describe("a redirect that the client hides, as a browser's does", () => {
  /** What `fetch` gives a browser for `redirect: "manual"`: an answer with the status 0 and nothing in it. */
  const hidden = Object.defineProperties(Response.error(), { type: { value: "opaqueredirect" } })

  it.live("is InvalidResponse after 1 request", () =>
    Effect.gen(function* () {
      let asked = 0
      const fetch: typeof globalThis.fetch = (_, init) => {
        asked += 1
        expect(init?.redirect).toBe("manual")
        return Promise.resolve(hidden)
      }
      const error = yield* Effect.flip(Provider.complete(hello)).pipe(
        Effect.provide(MiMo.layer(options)),
        Effect.provide(FetchHttpClient.layer),
        Effect.provideService(FetchHttpClient.Fetch, fetch)
      )
      expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, reason: "Redirect" })
      expect(asked).toBe(1)
    })
  )
})

describe("the program's own options for fetch", () => {
  it.live("are used, except for redirects", () =>
    Effect.gen(function* () {
      const seen: Array<RequestInit | undefined> = []
      const fetch: typeof globalThis.fetch = (_, init) => {
        seen.push(init)
        return Promise.resolve(Response.json({ data: [] }))
      }
      yield* Provider.models.pipe(
        Effect.provide(MiMo.layer(options)),
        Effect.provide(FetchHttpClient.layer),
        Effect.provideService(FetchHttpClient.Fetch, fetch),
        Effect.provideService(FetchHttpClient.RequestInit, { credentials: "include", redirect: "follow" })
      )
      expect(seen).toMatchObject([{ credentials: "include", redirect: "manual", method: "GET" }])
    })
  )
})
