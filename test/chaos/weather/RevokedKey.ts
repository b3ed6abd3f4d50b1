/**
 * A key that worked is revoked while 64 callers use it: from then on every request is answered 401. More calls come
 * while the first ones are being told.
 */
import { Effect, Ref } from "effect"
import * as Check from "../Check.js"
import * as Host from "../Host.js"
import * as Ledger from "../Ledger.js"
import * as Trial from "../Trial.js"
import type { Weather } from "../Weather.js"

const callers = 64

/** Those who come later: so many, one after so many milliseconds. */
const later = { count: 32, every: 250 }

/** In seconds: the two backoffs of a refused key take two of them, and it takes three such rounds to see it. */
const toldWithin = 10

/** What one call may cost: the auth budget. */
const requestsEach = 3

export const weather: Weather = {
  id: "revoked",
  title: `a key that is revoked at ${callers} callers`,
  run: (options) =>
    Trial.run(options, {
      script: () => Host.unauthorized,
      play: ({ ledger, provider }) =>
        Effect.gen(function* () {
          const plan = (call: number, title: string, requests = requestsEach): Ledger.Plan => ({
            call,
            title,
            ends: "AuthRejected",
            healthy: false,
            takes: 0,
            requests,
            forEver: "15 seconds"
          })
          const ask = (call: number, title: string) =>
            (call % 2 === 0 ? Ledger.streamed : Ledger.whole)(ledger, provider, plan(call, title))
          yield* Effect.all(
            [
              Effect.forEach(Trial.numbers(callers), (call) => ask(call, atOnce), {
                concurrency: "unbounded",
                discard: true
              }),
              Effect.forEach(
                Trial.numbers(later.count),
                (place) => Effect.delay(ask(callers + place, afterwards), place * later.every),
                { concurrency: "unbounded", discard: true }
              )
            ],
            { concurrency: "unbounded" }
          )
          // The key is known to be refused now: one more call costs one request.
          yield* Ledger.whole(ledger, provider, {
            ...plan(callers + later.count + 1, (yield* Ref.get(provider.credential.knownGood)) ? stillGood : last),
            requests: 1
          })
          return callers + later.count + 1
        }),
      checks: (ledger, seen) => [
        Check.atMost(
          `seconds until a caller was told (of ${toldWithin})`,
          toldWithin,
          Math.max(0, ...ledger.map(({ took }) => took))
        ),
        Check.atMost(
          `requests for those at work when the key was revoked (of ${callers * requestsEach})`,
          callers * requestsEach,
          Trial.numbers(callers).reduce((sum, call) => sum + (seen.requests.get(call) ?? 0), 0)
        ),
        Check.none("keys that still count as known good", ledger.filter(({ plan }) => plan.title === stillGood).length)
      ]
    })
}

const atOnce = "at work when the key was revoked"
const afterwards = "who came later"
const last = "the last"
const stillGood = "the last, with a key that still counts as known good"
