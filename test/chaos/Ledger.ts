/**
 * What was expected of each call of a weather, what came of it, and how long it had to wait.
 *
 * The **wait** of a call is counted like this, in real seconds: from its beginning to its first output (its end, where it
 * gives none), less what the server takes for it by its script. So it holds the stand in the gate's line, the waits that
 * the server asked for and the backoffs, of whomever. No **healthy** call, one that the server answers in the end and
 * refuses no more often than its script says, may wait longer than the longest wait that the server asked of any call in
 * this weather plus five seconds.
 */
import { Cause, Clock, type Duration, Effect, Either, Exit, Option, Runtime, Stream } from "effect"
import { type Chat, Provider, ProviderError } from "../../src/index.js"
import * as Check from "./Check.js"
import * as Speech from "./Speech.js"
import * as Verdict from "./Verdict.js"

/** What is expected of a call. */
export interface Plan {
  readonly call: number
  /** Who makes it, for whoever reads of it. */
  readonly title: string
  /** `answered`, or the error's tag and reason; any ending that is an answer or a typed error, if left out. */
  readonly ends?: string
  readonly healthy: boolean
  /** What the server takes to answer it, in milliseconds. */
  readonly takes: number
  /** The most requests that it may cost. */
  readonly requests: number
  /** After this long it never ends. */
  readonly forEver: Duration.DurationInput
}

export interface Entry {
  readonly plan: Plan
  /** `answered`, the error's tag and reason, `never ended`, or a defect in words. */
  readonly ended: string
  readonly isTyped: boolean
  readonly flaw: Verdict.Flaw | undefined
  /** In seconds. */
  readonly waited: number
  /** In seconds. */
  readonly took: number
}

export type Ledger = Array<Entry>

/** In seconds. */
const grace = 5

const neverEnded = "never ended"

/** A call whose answer comes whole. */
export const whole = (ledger: Ledger, provider: Provider.Service, plan: Plan): Effect.Effect<void> =>
  write(ledger, plan, () => Effect.map(provider.complete(asked(plan)), (reply) => Verdict.ofReply(plan.call, reply)))

/** A call whose answer is a stream, and what its consumer does between two events. */
export const streamed = (
  ledger: Ledger,
  provider: Provider.Service,
  plan: Plan,
  between: (event: Chat.Event, place: number) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<void> =>
  write(ledger, plan, (first) =>
    Effect.suspend(() => {
      const seen: Array<Chat.Event> = []
      return provider.stream(asked(plan)).pipe(
        Stream.runForEach((event) =>
          Effect.zipRight(
            first,
            Effect.suspend(() => between(event, seen.push(event) - 1))
          )
        ),
        Effect.map(() => Verdict.ofEvents(plan.call, seen, true))
      )
    })
  )

/** The same for a program without Effect: `for await`. */
export const iterated = (
  ledger: Ledger,
  provider: Provider.Service,
  plan: Plan,
  between: (event: Chat.Event, place: number) => Effect.Effect<void>
): Effect.Effect<void> =>
  write(ledger, plan, (first) =>
    Effect.flatMap(
      Effect.provideService(Effect.runtime<Provider.Provider>(), Provider.Provider, provider),
      (runtime) => {
        const run = Runtime.runPromise(runtime)
        const seen: Array<Chat.Event> = []
        return Effect.tryPromise({
          try: async () => {
            for await (const event of Provider.iterate(run, asked(plan))) {
              await run(first)
              await run(between(event, seen.push(event) - 1))
            }
            return Verdict.ofEvents(plan.call, seen, true)
          },
          catch: (error) => error
        }).pipe(
          Effect.catchAll((error) => (ProviderError.isProviderError(error) ? Effect.fail(error) : Effect.die(error)))
        )
      }
    )
  )

const asked = ({ call }: Plan): Chat.Request => ({ messages: [{ role: "user", content: Speech.promptOf(call) }] })

type Judged = Effect.Effect<Verdict.Flaw | undefined, Provider.Error>

/** Makes the call and writes what came of it. `first` is to be run at the first output. */
const write = (ledger: Ledger, plan: Plan, make: (first: Effect.Effect<void>) => Judged): Effect.Effect<void> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    let firstAt: number | undefined
    const first = Effect.map(Clock.currentTimeMillis, (now) => {
      firstAt ??= now
    })
    const note = (end: End) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        ledger.push({
          plan,
          ...end,
          waited: Math.max(0, (firstAt ?? now) - began - plan.takes) / 1000,
          took: (now - began) / 1000
        })
      })
    yield* Effect.either(make(first)).pipe(
      Effect.disconnect,
      Effect.timeoutOption(plan.forEver),
      Effect.exit,
      Effect.flatMap((exit) => note(endOf(exit))),
      // Whoever made it was given up, and it had not ended.
      Effect.onInterrupt(() => note(notEnded))
    )
  })

type End = Pick<Entry, "ended" | "isTyped" | "flaw">

const notEnded: End = { ended: neverEnded, isTyped: false, flaw: undefined }

const endOf = (
  exit: Exit.Exit<Option.Option<Either.Either<Verdict.Flaw | undefined, ProviderError.ProviderError>>>
): End => {
  if (Exit.isFailure(exit)) return { ended: Cause.pretty(exit.cause), isTyped: false, flaw: undefined }
  if (Option.isNone(exit.value)) return notEnded
  return Either.match(exit.value.value, {
    onLeft: (error): End => ({ ended: Verdict.nameOf(error), isTyped: true, flaw: undefined }),
    onRight: (flaw): End => ({ ended: "answered", isTyped: true, flaw })
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// What is read off a ledger
// ---------------------------------------------------------------------------------------------------------------------

/** What the server saw of a weather. */
export interface Seen {
  /** Requests by call. */
  readonly requests: ReadonlyMap<number, number>
  /** The longest wait that it asked for, in seconds. */
  readonly longestAsked: number
}

export const checks = (ledger: Ledger, calls: number, seen: Seen): ReadonlyArray<Check.Check> => [
  Check.exactly("calls made", calls, ledger.length),
  Check.none("calls that never ended", ledger.filter(({ ended }) => ended === neverEnded).length),
  Check.none(
    "calls that ended in a defect",
    ledger.filter((entry) => !entry.isTyped && entry.ended !== neverEnded).length
  ),
  Check.none("calls that ended otherwise than they should", ledger.filter(isOtherwise).length),
  Check.none("answers that are not the right ones", ledger.filter(({ flaw }) => flaw !== undefined).length),
  Check.none("calls that cost too many requests", ledger.filter((entry) => isDear(entry, seen)).length),
  Check.atMost(
    `seconds that a healthy call waited (of ${seen.longestAsked + grace})`,
    seen.longestAsked + grace,
    longestWait(ledger)
  )
]

/** The first ones of which something is wrong, in words. */
export const lines = (ledger: Ledger, seen: Seen): ReadonlyArray<string> => {
  const wrong = ledger.filter(
    (entry) =>
      !entry.isTyped ||
      isOtherwise(entry) ||
      entry.flaw !== undefined ||
      isDear(entry, seen) ||
      (entry.plan.healthy && entry.waited > seen.longestAsked + grace)
  )
  const byTitle = new Map<string, Array<Entry>>()
  for (const entry of wrong) byTitle.set(entry.plan.title, [...(byTitle.get(entry.plan.title) ?? []), entry])
  return [...byTitle].map(([title, entries]) => `${title}: ${entries.length} wrong, ${first(entries, seen)}`)
}

const first = ([entry]: ReadonlyArray<Entry>, seen: Seen): string =>
  entry === undefined
    ? ""
    : [
        `call ${entry.plan.call}: ${entry.ended}`,
        ...(isOtherwise(entry) && entry.plan.ends !== undefined ? [`not ${entry.plan.ends}`] : []),
        ...(entry.flaw === undefined ? [] : [entry.flaw]),
        `${seen.requests.get(entry.plan.call) ?? 0} requests`,
        `waited ${entry.waited.toFixed(1)} s`
      ].join(", ")

/** How the calls ended, and how many. */
export const outcomes = (ledger: Ledger): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { ended } of ledger) counts.set(ended, (counts.get(ended) ?? 0) + 1)
  return counts
}

/** In seconds. */
export const longestWait = (ledger: Ledger): number =>
  Math.max(0, ...ledger.filter(({ plan }) => plan.healthy).map(({ waited }) => waited))

const isOtherwise = ({ ended, isTyped, plan }: Entry): boolean =>
  isTyped && plan.ends !== undefined && plan.ends !== ended

const isDear = ({ plan }: Entry, { requests }: Seen): boolean => (requests.get(plan.call) ?? 0) > plan.requests
