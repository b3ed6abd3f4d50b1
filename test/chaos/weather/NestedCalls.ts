/**
 * While a stream is read, a call is made for every few of its events, with the same provider, and the next event is not
 * asked for before it is answered. Some of these calls are told to wait for a second first.
 */
import { Effect } from "effect"
import * as Dice from "../Dice.js"
import * as Host from "../Host.js"
import * as Ledger from "../Ledger.js"
import * as Trial from "../Trial.js"
import type { Weather } from "../Weather.js"

const streams = 24

/** A call for so many events. */
const every = 4

/** Milliseconds between two events. */
const pace = 10

/** The numbers of the calls inside the stream of a call begin here. */
const insideOf = (call: number): number => call * 1000

export const weather: Weather = {
  id: "nested",
  title: "calls inside streams, some of them told to wait",
  run: (options) =>
    Trial.run(options, {
      script: (question) =>
        question.call >= 1000
          ? toldToWait(options.seed, question.call) && question.request === 1
            ? Host.tooMany(1)
            : Host.well(question)
          : Host.spoken(question, pace),
      play: ({ ledger, provider }) => {
        let inside = 0
        const nested = (call: number) => {
          inside += 1
          return Ledger.whole(ledger, provider, {
            call,
            title: "inside a stream",
            ends: "answered",
            healthy: true,
            takes: 0,
            requests: toldToWait(options.seed, call) ? 2 : 1,
            forEver: "10 seconds"
          })
        }
        const outer = (call: number) =>
          Ledger.streamed(
            ledger,
            provider,
            {
              call,
              title: "a stream",
              ends: "answered",
              healthy: true,
              takes: pace,
              requests: 1,
              forEver: "20 seconds"
            },
            (_, place) => (place % every === 1 ? nested(insideOf(call) + place) : Effect.void)
          )
        return Effect.map(
          Effect.forEach(Trial.numbers(streams), outer, { concurrency: streams, discard: true }),
          () => streams + inside
        )
      }
    })
}

const toldToWait = (seed: number, call: number): boolean => Dice.make("nested", seed, call).below(16) === 0
