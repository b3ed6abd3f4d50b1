/**
 * The common way of a weather that keeps a ledger: for each client a host, a known-good key and the weather's calls; then
 * the checks.
 */
import type { HttpClient } from "@effect/platform"
import { Effect, Redacted, type Scope } from "effect"
import { OpenAiCompatible, type Provider } from "../../src/index.js"
import type * as Gateway from "../../src/testing/Gateway.js"
import type * as Check from "./Check.js"
import * as Host from "./Host.js"
import * as Leaks from "./Leaks.js"
import * as Ledger from "./Ledger.js"
import * as Speech from "./Speech.js"
import { clients, type Options, type Outcome } from "./Weather.js"

export interface Trial {
  readonly script: (question: Host.Question) => Gateway.Answer
  /** Beside the usual ones. */
  readonly provider?: Partial<Provider.Options>
  /** Makes the calls, and says how many there were to be. */
  readonly play: (stage: Stage) => Effect.Effect<number, never, HttpClient.HttpClient | Scope.Scope>
  /** What is promised beside what the ledger holds. */
  readonly checks?: (ledger: Ledger.Ledger, seen: Ledger.Seen) => ReadonlyArray<Check.Check>
}

export interface Stage {
  readonly url: string
  /** Its key was accepted once. */
  readonly provider: Provider.Keyed
  readonly ledger: Ledger.Ledger
  readonly seen: Effect.Effect<Ledger.Seen>
}

/** The clients are asked beside each other. */
export const run = (options: Options, trial: Trial): Effect.Effect<Outcome> =>
  Effect.map(
    Effect.forEach(
      options.clients,
      (name) =>
        Effect.map(
          Leaks.countFibers(Effect.provide(Effect.scoped(one(trial)), clients[name])),
          ([part, fibersLeft]) => ({
            name,
            ...part,
            fibersLeft
          })
        ),
      { concurrency: "unbounded" }
    ),
    (parts) => ({
      checks: parts.flatMap(({ calls, fibersLeft, ledger, name, seen }) =>
        [
          ...Ledger.checks(ledger, calls, seen),
          ...(trial.checks?.(ledger, seen) ?? []),
          { name: "fibers left", found: fibersLeft, holds: fibersLeft === 0 }
        ].map((check) => ({ ...check, name: `${name}: ${check.name}` }))
      ),
      lines: parts.flatMap(({ ledger, name, seen }) => Ledger.lines(ledger, seen).map((line) => `${name}: ${line}`)),
      facts: Object.fromEntries(
        parts.map(({ ledger, name, seen }) => [
          name,
          {
            outcomes: Object.fromEntries(Ledger.outcomes(ledger)),
            requests: [...seen.requests.values()].reduce((sum, count) => sum + count, 0),
            longestWait: Ledger.longestWait(ledger),
            longestAsked: seen.longestAsked
          }
        ])
      )
    })
  )

const one = (trial: Trial) =>
  Effect.gen(function* () {
    const host = yield* Host.make((question) => (question.call === 0 ? Host.well(question) : trial.script(question)))
    const provider = yield* providerAt(host.url, trial.provider)
    yield* Effect.orDie(provider.verify)
    const ledger: Ledger.Ledger = []
    const calls = yield* trial.play({ url: host.url, provider, ledger, seen: host.seen })
    return { ledger, calls, seen: yield* host.seen }
  })

/** With the rules of the presets, unless it is said otherwise. */
export const providerAt = (
  baseUrl: string,
  options: Omit<Provider.Options, "model"> = {}
): Effect.Effect<Provider.Keyed, never, HttpClient.HttpClient> =>
  OpenAiCompatible.make({
    id: "weather",
    apiKey: Redacted.make("sk-weather0weather0weather0weather"),
    model: Speech.model,
    ...options,
    baseUrl
  })

/** The numbers from 1 to `count`. */
export const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i + 1)
