/** What a call remembers of its requests, and that an error is made once, where that is known. */
import { HttpClient } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Schema, Stream } from "effect"
import * as Gate from "../../src/credential/Gate.js"
import * as Key from "../../src/credential/Key.js"
import { Credential, Provider, ProviderError, Transport } from "../../src/index.js"
import type * as Failure from "../../src/refusal/Failure.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { CallLog } from "../../src/transport/CallLog.js"
import { accept, chunk, failed, hello, mimo, patiently, plantedKey, refused, times, whole } from "../Wire.js"

const failure: Failure.Failure = { _tag: "Transient", provider: "mimo", emitted: false, reason: "Overloaded" }

/** A request is sent, and fails. */
const fails = (log: CallLog, status: number) => {
  log.sends(Key.absent, new Gate.Turn(log, { era: 0, level: 1 }, status, 0, false))
  return log.failed({ ...failure, status, requestId: `r-${status}` })
}

describe("an error of a call", () => {
  it("knows every request before it, and the waits between them", () => {
    const log = new CallLog(true)
    const first = fails(log, 503)
    log.waits(Duration.millis(500))
    const second = fails(log, 529)
    expect(first).toMatchObject({ attempts: 1, history: [{ status: 503, reason: "Overloaded", requestId: "r-503" }] })
    expect(second.attempts).toBe(2)
    expect(second.history).toEqual([
      { status: 503, reason: "Overloaded", requestId: "r-503", wait: Duration.millis(500) },
      { status: 529, reason: "Overloaded", requestId: "r-529" }
    ])
    // What is known later is no part of what was said before.
    expect(first.history).toHaveLength(1)
    expect(first.history[0]).not.toHaveProperty("wait")
  })

  it("that comes before anything is sent counts no request, and a wait then belongs to none", () => {
    const log = new CallLog(true)
    log.waits(Duration.millis(1))
    expect(log.failed(failure)).toMatchObject({ attempts: 0, history: [] })
    fails(log, 503)
    expect(log.failed(failure)).toMatchObject({ attempts: 1, history: [{ status: 503 }] })
  })

  it("is its own place at the gate", () => {
    expect(new CallLog(false).coolsDown).toBe(false)
    expect(new CallLog(true)).toBeInstanceOf(Gate.Place)
  })
})

const classes = [
  ProviderError.AuthMissing,
  ProviderError.AuthRejected,
  ProviderError.Transient,
  ProviderError.QuotaExceeded,
  ProviderError.InvalidRequest,
  ProviderError.InvalidResponse
]

/** How many errors are made while it runs: a constructor asks its prototype for the one above it, every time. */
const errorsOf = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const count = { made: 0 }
      const parents = classes.map((Class) => {
        const parent: object = Object.getPrototypeOf(Class)
        Object.setPrototypeOf(
          Class,
          new Proxy(parent, {
            construct: (target, given, newTarget) => {
              count.made += 1
              return Reflect.construct(target as new () => object, given, newTarget)
            }
          })
        )
        return parent
      })
      return { count, parents }
    }),
    ({ count }) => Effect.map(self, () => count.made),
    ({ parents }) =>
      Effect.sync(() => {
        for (const [i, Class] of classes.entries()) Object.setPrototypeOf(Class, parents[i] ?? null)
      })
  )

const broken = Gateway.sse([chunk({ content: "Hello, " })])

/** An answer like any other, but not of the shape that is asked for. */
const unfit = { ...whole }

const City = Schema.Struct({ city: Schema.String })

describe("an error is made once", () => {
  const ask = Provider.complete(hello)
  const calls: ReadonlyArray<
    readonly [name: string, script: ReadonlyArray<Gateway.Answer>, Effect.Effect<unknown, unknown, Provider.Provider>]
  > = [
    ["a refused key", [refused()], ask],
    ["three failures, then an answer", [...times(3, failed(503)), whole], ask],
    ["failures to the end of the retries", times(11, failed(500)), ask],
    ["a server that cannot be reached", times(11, Gateway.unreachable), ask],
    ["a stream that breaks after output", [broken], Stream.runDrain(Provider.stream(hello))],
    ["a stream that breaks after output, by a callback", [broken], Provider.listen(hello, () => undefined)],
    ["an error inside a 200", [Gateway.sse([{ error: { message: "no" } }]), whole], ask],
    ["an answer that is not of the shape asked for", [unfit], Provider.completeObject(City, hello)]
  ]
  for (const [name, script, call] of calls) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const made = yield* errorsOf(patiently(Effect.exit(call)))
        expect((yield* Gateway.requests).length).toBe(script.length)
        expect(made).toBe(script.filter((answer) => answer !== whole).length)
      }).pipe(Effect.provide(mimo(script)))
    )
  }

  it.effect("a known-good key that is refused to the end of its retries", () =>
    Effect.gen(function* () {
      yield* accept
      expect(yield* errorsOf(patiently(Effect.exit(ask)))).toBe(3)
    }).pipe(Effect.provide(mimo([whole, refused(), refused(), refused()])))
  )

  it.effect("a call that has no key to send", () =>
    Effect.gen(function* () {
      expect(yield* errorsOf(Effect.exit(ask))).toBe(1)
      expect(yield* Gateway.requests).toEqual([])
    }).pipe(Effect.provide(mimo([], { key: undefined })))
  )

  it.effect("a request of a transformed client", () =>
    Effect.gen(function* () {
      const credential = yield* Credential.make({ apiKey: Redacted.make(plantedKey), source: "KEY" })
      const client = Transport.transformClient(yield* HttpClient.HttpClient, { provider: "acme", credential })
      const get = patiently(Effect.exit(client.get("https://acme.example/v1/reports")))
      expect(yield* errorsOf(get)).toBe(3)
    }).pipe(Effect.provide(Gateway.layer([failed(503), failed(503), failed(400)])))
  )
})
