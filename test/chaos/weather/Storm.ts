/**
 * A server that misbehaves in every way it can: warm up, then so many calls, then a look at what is left behind.
 */
import { HttpClient } from "@effect/platform"
import { Clock, Effect, Redacted } from "effect"
import { MiMo, OpenAiCompatible, type Provider, RetryPolicy } from "../../../src/index.js"
import * as Calls from "../Calls.js"
import * as Leaks from "../Leaks.js"
import * as MisbehavingServer from "../MisbehavingServer.js"
import * as StormReport from "../StormReport.js"
import { clients, type Options, type Weather } from "../Weather.js"

export const weather: Weather = {
  id: "storm",
  title: "everything at once",
  run: (options) =>
    Effect.map(run(options), (result) => ({
      checks: StormReport.checks(result, options.calls),
      lines: StormReport.lines(result),
      facts: StormReport.facts(result)
    }))
}

export interface Result {
  readonly seconds: number
  readonly sum: Calls.Sum
  /** Requests that arrived, by what went wrong with them. */
  readonly arrived: ReadonlyMap<string, number>
  readonly connectionsLeft: number
  readonly fibersLeft: number
  /** Bytes. */
  readonly heapBefore: number
  readonly heapAfter: number
}

/** Callers at work at the same time. */
const callers = 64

/** Beside the calls that count, per client: calls that their caller gives up. */
const givenUp = 100

/** The calls are shared out between the clients and, for each, between cool-down and none. */
const run = (options: Options): Effect.Effect<Result> =>
  Effect.gen(function* () {
    yield* part({ ...options, seed: options.seed + 1, calls: 160 })
    const heapBefore = yield* Leaks.heap
    const began = yield* Clock.currentTimeMillis
    const { arrived, connectionsLeft, fibersLeft, sum } = yield* part(options)
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    const heapAfter = yield* Leaks.heap
    return { seconds, sum, arrived, connectionsLeft, fibersLeft, heapBefore, heapAfter }
  })

/** All calls at one server. */
const part = ({ calls, clients: names, seed }: Options) =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* MisbehavingServer.make(seed)
      const sum = Calls.nothing()
      const [, fibersLeft] = yield* Leaks.countFibers(
        Effect.forEach(
          names,
          (name, i) => {
            const share = shareOf(calls, names.length, i)
            return Effect.scoped(withClient(server.url, share, sum)).pipe(Effect.provide(clients[name]))
          },
          { concurrency: "unbounded" }
        )
      )
      const connectionsLeft = yield* server.close
      return { sum, arrived: server.requests, connectionsLeft, fibersLeft }
    })
  )

/** Every other call waits together with the others when the server says so, as it is by default; the rest do not. */
const withClient = (url: string, calls: ReadonlyArray<number>, sum: Calls.Sum) =>
  Effect.gen(function* () {
    const client = Calls.counted(yield* HttpClient.HttpClient)
    const providers = yield* Effect.provideService(makeProviders(url), HttpClient.HttpClient, client)
    for (const [i, provider] of providers.entries()) {
      yield* Effect.orDie(provider.verify)
      const mine = shareOf(calls.length, providers.length, i).flatMap((place) => calls[place - 1] ?? [])
      yield* together(mine, (call) => Calls.make(provider, call, sum))
      yield* together(shareOf(givenUp, 1, 0), (call) => Calls.makeAndGiveUp(provider, call))
    }
  })

const makeProviders = (url: string) =>
  Effect.all([MiMo.make(common(url)), OpenAiCompatible.make({ ...common(url), id: "chaos", coolDown: false })])

/** The rules of the presets, made quick. */
const common = (baseUrl: string): Provider.Options & { readonly baseUrl: string; readonly model: string } => ({
  apiKey: Redacted.make("tp-s0chaos0chaos0chaos0chaos"),
  baseUrl,
  model: "chaos-1",
  policy: (knownGood) => RetryPolicy.standard(knownGood, { base: "10 millis", cap: "100 millis", jitter: "10 millis" }),
  // A busy machine may be late by a quarter of a second, and then a clock would be at fault that is not.
  timeouts: { headers: "500 millis", idle: "400 millis", stall: "700 millis", errorBody: "200 millis" }
})

const together = (calls: ReadonlyArray<number>, make: (call: number) => Effect.Effect<void>) =>
  Effect.forEach(calls, make, { concurrency: callers, discard: true })

/** The numbers from 1 to `count`, shared out: this share's. */
const shareOf = (count: number, shares: number, share: number): ReadonlyArray<number> => {
  const from = Math.floor((count * share) / shares)
  const to = Math.floor((count * (share + 1)) / shares)
  return Array.from({ length: to - from }, (_, i) => from + i + 1)
}
