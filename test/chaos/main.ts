/**
 * Chaos: weather after weather, real servers and clients in trouble of one kind each. The exit code says whether all that
 * was promised held.
 *
 * `npx tsx test/chaos/main.ts [--weather storm] [--seed N] [--calls N] [--client fetch|undici] [--json]`. Weathers may be
 * named several times; `--calls` are the storm's.
 */
import { parseArgs } from "node:util"
import { Console, Effect } from "effect"
import * as Chaos from "./Chaos.js"
import { type Client, clients, type Weather } from "./Weather.js"

const { values: given } = parseArgs({
  options: {
    weather: { type: "string", multiple: true },
    seed: { type: "string", default: "1" },
    calls: { type: "string", default: "2000" },
    client: { type: "string" },
    json: { type: "boolean", default: false }
  }
})

const isClient = (name: string): name is Client => name in clients

const wholeNumber = (name: string, text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new TypeError(`--${name} is no whole number: ${text}`)
  return value
}

const clientsOf = (name: string | undefined): ReadonlyArray<Client> => {
  if (name === undefined) return ["fetch", "undici"]
  if (isClient(name)) return [name]
  throw new TypeError(`--client is none: ${name}`)
}

const weathersOf = (ids: ReadonlyArray<string> | undefined): ReadonlyArray<Weather> => {
  const unknown = ids?.find((id) => !Chaos.weathers.some((weather) => weather.id === id))
  if (unknown !== undefined)
    throw new TypeError(`--weather is none of ${Chaos.weathers.map(({ id }) => id)}: ${unknown}`)
  return Chaos.weathers.filter(({ id }) => ids === undefined || ids.includes(id))
}

const seed = wholeNumber("seed", given.seed)
const options = { seed, calls: wholeNumber("calls", given.calls), clients: clientsOf(given.client) }

const program = Effect.gen(function* () {
  const results = yield* Effect.forEach(weathersOf(given.weather), (weather) =>
    Effect.tap(Chaos.run(weather, options), (result) => (given.json ? Effect.void : Console.log(Chaos.text(result))))
  )
  yield* Console.log(
    given.json ? Chaos.json(results, seed) : Chaos.holds(results) ? "All promises held." : "Promises were broken."
  )
  process.exitCode = Chaos.holds(results) ? 0 : 1
})

await Effect.runPromise(program)
