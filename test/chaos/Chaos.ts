/**
 * One weather after the other, and what each leaves behind.
 */
import { Clock, Effect } from "effect"
import * as Check from "./Check.js"
import * as Leaks from "./Leaks.js"
import type { Options, Outcome, Weather } from "./Weather.js"
import * as NestedCalls from "./weather/NestedCalls.js"
import * as PausingConsumers from "./weather/PausingConsumers.js"
import * as PoisonedRequest from "./weather/PoisonedRequest.js"
import * as RevokedKey from "./weather/RevokedKey.js"
import * as Storm from "./weather/Storm.js"
import * as WrappedClients from "./weather/WrappedClients.js"

export const weathers: ReadonlyArray<Weather> = [
  Storm.weather,
  NestedCalls.weather,
  PoisonedRequest.weather,
  RevokedKey.weather,
  WrappedClients.weather,
  PausingConsumers.weather
]

export interface Result extends Outcome {
  readonly weather: Weather
  readonly seconds: number
}

export const run = (weather: Weather, options: Options): Effect.Effect<Result> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const [[outcome, socketsLeft], unhandled] = yield* Leaks.unhandled(Effect.zip(weather.run(options), Leaks.sockets))
    return {
      weather,
      seconds: ((yield* Clock.currentTimeMillis) - began) / 1000,
      checks: [
        ...outcome.checks,
        Check.none("unhandled rejections and exceptions", unhandled.length),
        Check.none("sockets left in the process", socketsLeft)
      ],
      lines: [...outcome.lines, ...new Set(unhandled)].slice(0, 80),
      facts: outcome.facts
    }
  })

export const holds = (results: ReadonlyArray<Result>): boolean =>
  results.every(({ checks }) => checks.every(({ holds }) => holds))

export const json = (results: ReadonlyArray<Result>, seed: number): string =>
  JSON.stringify({
    seed,
    weathers: Object.fromEntries(
      results.map(({ checks, facts, seconds, weather }) => [weather.id, { seconds, ...facts, checks }])
    ),
    holds: holds(results)
  })

export const text = ({ checks, lines, seconds, weather }: Result): string =>
  [
    `${weather.id}: ${weather.title}, ${seconds.toFixed(1)} s`,
    ...lines.map((line) => `         ${line}`),
    ...checks.map(Check.line),
    ""
  ].join("\n")
