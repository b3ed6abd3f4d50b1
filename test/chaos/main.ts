/**
 * Chaos: a real server that misbehaves, some thousand calls, 64 at a time, half of them streams. The exit code says
 * whether all that was promised held.
 *
 * `npx tsx test/chaos/main.ts [--seed N] [--calls N] [--client fetch|undici] [--json]`
 */
import { parseArgs } from "node:util"
import { Console, Effect } from "effect"
import * as Chaos from "./Chaos.js"
import * as Report from "./Report.js"

const { values: given } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    calls: { type: "string", default: "2000" },
    client: { type: "string" },
    json: { type: "boolean", default: false }
  }
})

const isClient = (name: string): name is Chaos.Client => name in Chaos.clients

const wholeNumber = (name: string, text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new TypeError(`--${name} is no whole number: ${text}`)
  return value
}

const seed = wholeNumber("seed", given.seed)
const calls = wholeNumber("calls", given.calls)

const clientsOf = (name: string | undefined): ReadonlyArray<Chaos.Client> => {
  if (name === undefined) return ["fetch", "undici"]
  if (isClient(name)) return [name]
  throw new TypeError(`--client is none: ${name}`)
}

const program = Effect.gen(function* () {
  const result = yield* Chaos.run({ seed, calls, clients: clientsOf(given.client) })
  const checks = Report.checks(result, calls)
  yield* Console.log(given.json ? Report.json(result, seed, checks) : Report.text(result, seed, checks))
  process.exitCode = checks.every(({ holds }) => holds) ? 0 : 1
})

await Effect.runPromise(program)
