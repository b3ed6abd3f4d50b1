/**
 * One request is always told to wait for a second, whatever the others do, among calls that the server answers whenever
 * it is asked.
 */
import { Clock, Effect, Fiber } from "effect"
import * as Dice from "../Dice.js"
import * as Host from "../Host.js"
import * as Ledger from "../Ledger.js"
import * as Trial from "../Trial.js"
import type { Weather } from "../Weather.js"

const callers = 32

/** The most calls that one caller makes. Fewer, if the poisoned one is over before. */
const callsEach = 1000

const poisoned = 999

/** Milliseconds that an answer takes. */
const service = 50

export const weather: Weather = {
  id: "poisoned",
  title: "a request that is always told to wait, among healthy ones",
  run: ({ seed, ...options }) =>
    Trial.run(
      { seed, ...options },
      {
        script: (question) =>
          question.call === poisoned ? Host.tooMany(1) : { ...Host.well(question), after: service },
        play: ({ ledger, provider }) =>
          Effect.gen(function* () {
            const isOver = yield* Effect.fork(
              Ledger.whole(ledger, provider, {
                call: poisoned,
                title: "the poisoned one",
                ends: "Transient RateLimited",
                healthy: false,
                takes: 0,
                // Ten retries.
                requests: 11,
                forEver: "45 seconds"
              })
            )
            let made = 1
            const healthy = (call: number) => {
              made += 1
              return Ledger.whole(ledger, provider, {
                call,
                title: "a healthy one",
                ends: "answered",
                healthy: true,
                takes: service,
                requests: 1,
                forEver: "45 seconds"
              })
            }
            const caller = (number: number) =>
              Effect.gen(function* () {
                const dice = Dice.make("poisoned", seed, number)
                const began = yield* Clock.currentTimeMillis
                for (let call = 1; call <= callsEach; call++) {
                  yield* Effect.sleep(dice.below(300))
                  if ((yield* Fiber.poll(isOver))._tag === "Some" && (yield* Clock.currentTimeMillis) > began + 2000)
                    return
                  yield* healthy(number * 10_000 + call)
                }
              })
            yield* Effect.forEach(Trial.numbers(callers), caller, { concurrency: callers, discard: true })
            yield* Fiber.join(isOver)
            return made
          })
      }
    )
}
