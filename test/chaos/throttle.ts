/**
 * Requests per success under throttling: 64 callers at a gateway with 16 places, after one first success.
 *
 * `npx tsx test/chaos/throttle.ts [--calls N] [--callers N] [--capacity N] [--service MS] [--json]`. The exit code says
 * whether this SDK answered every call with no more than 1.15 requests for each.
 */
import { parseArgs } from "node:util"
import { Clock, Console, Effect, Either } from "effect"
import { type Contender, contenders } from "./Contenders.js"
import * as ThrottledGateway from "./ThrottledGateway.js"

const { values: given } = parseArgs({
  options: {
    calls: { type: "string", default: "2000" },
    callers: { type: "string", default: "64" },
    capacity: { type: "string", default: "16" },
    service: { type: "string", default: "200" },
    json: { type: "boolean", default: false }
  }
})

const [calls = 0, callers = 0, capacity = 0, service = 0] = [
  given.calls,
  given.callers,
  given.capacity,
  given.service
].map(Number)

const goal = { successRate: 1, requestsPerSuccess: 1.15 }

interface Score {
  readonly name: string
  readonly successRate: number
  readonly requestsPerSuccess: number
  readonly requests: number
  readonly seconds: number
}

/** `undefined` if it is not installed. */
const play = ({ connect, name }: Contender): Effect.Effect<Score | undefined> =>
  Effect.scoped(
    Effect.gen(function* () {
      const gateway = yield* ThrottledGateway.make({ capacity, service })
      const ask = yield* connect(gateway.url)
      if (ask === undefined) return undefined
      yield* Effect.orDie(ask)
      const before = gateway.requests()
      const began = yield* Clock.currentTimeMillis
      const outcomes = yield* Effect.forEach(Array.from({ length: calls }), () => Effect.either(ask), {
        concurrency: callers
      })
      const successes = outcomes.filter(Either.isRight).length
      const requests = gateway.requests() - before
      return {
        name,
        successRate: successes / calls,
        requestsPerSuccess: requests / successes,
        requests,
        seconds: ((yield* Clock.currentTimeMillis) - began) / 1000
      }
    })
  )

const line = ({ name, requests, requestsPerSuccess, seconds, successRate }: Score): string =>
  [
    name.padEnd(28),
    `${(successRate * 100).toFixed(1)} %`.padStart(9),
    requestsPerSuccess.toFixed(3).padStart(10),
    String(requests).padStart(9),
    seconds.toFixed(1).padStart(7)
  ].join("")

const program = Effect.gen(function* () {
  const say = given.json ? () => Effect.void : Console.log
  yield* say(`${calls} calls of ${callers} callers, ${capacity} places, ${service} ms an answer`)
  yield* say(
    ["".padEnd(28), "success", "req/succ.", "requests", "s"]
      .map((word, i) => word.padStart([28, 9, 10, 9, 7][i] ?? 0))
      .join("")
  )
  const scores: Array<Score> = []
  for (const contender of contenders) {
    const score = yield* play(contender)
    if (score !== undefined) scores.push(score)
    yield* say(score === undefined ? `${contender.name.padEnd(28)}  not installed` : line(score))
  }
  const own = scores.find(({ name }) => name === contenders[0]?.name)
  const holds =
    own !== undefined && own.successRate >= goal.successRate && own.requestsPerSuccess <= goal.requestsPerSuccess
  yield* given.json
    ? Console.log(JSON.stringify({ calls, callers, capacity, service, scores, goal, holds }))
    : Console.log(holds ? "The goal holds: every call answered, at most 1.15 requests each." : "The goal is missed.")
  process.exitCode = holds ? 0 : 1
})

await Effect.runPromise(program)
