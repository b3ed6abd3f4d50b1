/**
 * The calls of a chaos run, and the sum of what came of them.
 */
import { HttpClient } from "@effect/platform"
import { Clock, Duration, Effect, Exit, FiberRef, Option, Stream } from "effect"
import { type Chat, type Provider, RetryObserver } from "../../src/index.js"
import * as Dice from "./Dice.js"
import * as Speech from "./Speech.js"
import * as Verdict from "./Verdict.js"

/** What all calls so far came to. */
export interface Sum {
  calls: number
  requests: number
  notices: number
  /** Errors whose `attempts` or `history` do not fit the requests that were made. */
  miscounted: number
  /** By outcome: `answered`, or the error's tag and reason. */
  readonly outcomes: Map<string, number>
  readonly flaws: Map<Verdict.Flaw, number>
  /** Calls that ended in neither an answer nor a typed error. */
  neither: number
  /** What is wrong with a call, in words. */
  readonly wrong: Array<string>
  /** In seconds: until the first output of a call that was answered at its first request. */
  longestWait: number
  /** Requests by call. */
  readonly perCall: Map<number, number>
}

export const nothing = (): Sum => ({
  calls: 0,
  requests: 0,
  notices: 0,
  miscounted: 0,
  outcomes: new Map(),
  flaws: new Map(),
  neither: 0,
  wrong: [],
  longestWait: 0,
  perCall: new Map()
})

/** The requests that the present call made. */
const sent = FiberRef.unsafeMake({ requests: 0 })

/** A client that counts what is really sent, under the SDK. */
export const counted = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.mapRequestEffect(client, (request) =>
    Effect.as(
      Effect.map(FiberRef.get(sent), (count) => {
        count.requests += 1
      }),
      request
    )
  )

/** A call that has not ended after this long never will: the clocks of the run are far shorter. */
const forEver = Duration.seconds(40)

/** Makes one call, every other one a stream, and adds what came of it to the sum. */
export const make = (provider: Provider.Service, call: number, sum: Sum): Effect.Effect<void> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    let firstAt: number | undefined
    const count = { requests: 0 }
    const seen: Array<Chat.Event> = []
    let notices = 0
    const observer = {
      onRetry: () =>
        Effect.sync(() => {
          notices += 1
        })
    }
    const asked = { messages: [{ role: "user", content: Speech.promptOf(call) }] } as const
    const streams = call % 2 === 0
    const judged: Effect.Effect<Verdict.Flaw | undefined, Provider.Error> = streams
      ? provider.stream(asked).pipe(
          Stream.runForEach((event) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              firstAt ??= now
              seen.push(event)
            })
          ),
          Effect.map(() => Verdict.ofEvents(call, seen, true))
        )
      : Effect.map(provider.complete(asked), (reply) => Verdict.ofReply(call, reply))

    const exit = yield* judged.pipe(
      Effect.map((flaw) => ({ name: "answered", flaw, attempts: undefined, entries: undefined })),
      Effect.catchAll((error) =>
        Effect.succeed({
          name: Verdict.nameOf(error),
          flaw: Verdict.ofEvents(call, seen, false) ?? (streams ? Verdict.ofPartial(error, seen) : undefined),
          attempts: error.attempts,
          entries: error.history.length
        })
      ),
      Effect.timeoutOption(forEver),
      Effect.provideService(RetryObserver.RetryObserver, observer),
      Effect.locally(sent, count),
      Effect.exit
    )

    const waited = ((firstAt ?? (yield* Clock.currentTimeMillis)) - began) / 1000
    sum.calls += 1
    sum.requests += count.requests
    sum.notices += notices
    add(sum.perCall, count.requests)
    const wrong = (words: string) => sum.wrong.push(`call ${call} (${streams ? "stream" : "whole"}): ${words}`)
    if (Exit.isFailure(exit) || Option.isNone(exit.value)) {
      sum.neither += 1
      wrong(Exit.isFailure(exit) ? String(exit.cause) : "never ended")
      return
    }
    const { attempts, entries, flaw, name } = exit.value.value
    add(sum.outcomes, name)
    if (name === "answered" && count.requests === 1) sum.longestWait = Math.max(sum.longestWait, waited)
    if (flaw !== undefined) {
      add(sum.flaws, flaw)
      wrong(`${name}, ${flaw}${streams ? `: ${JSON.stringify(seen.slice(-3))}` : ""}`)
    }
    if (attempts !== undefined && (attempts !== count.requests || entries !== attempts)) {
      sum.miscounted += 1
      wrong(`${name}: ${count.requests} requests, but ${attempts} attempts and ${entries} in its history`)
    }
  })

/** Makes one call and gives it up after some moments. Nothing is expected of it but that it leaves nothing behind. */
export const makeAndGiveUp = (provider: Provider.Service, call: number): Effect.Effect<void> =>
  make(provider, call, nothing()).pipe(
    Effect.timeoutOption(Duration.millis(Dice.make("give up", call).below(120))),
    Effect.asVoid
  )

export const add = <K>(counts: Map<K, number>, key: K): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
