/**
 * One row of the table: 64 callers of one contender at one limit that refuses in one way, and what came of it.
 */
import { Clock, Effect, Either, Option, type Scope } from "effect"
import type * as Contenders from "./Contenders.js"
import * as Limit from "./Limit.js"
import * as Refusal from "./Refusal.js"
import type * as ThrottledGateway from "./ThrottledGateway.js"

/** Who asks whom. */
export interface Match {
  readonly limit: Limit.Limit
  readonly refusal: Refusal.Refusal
  readonly contender: Contenders.Contender
  readonly calls: number
}

export interface Row {
  readonly match: Match
  /** `undefined` if the contender is not installed. */
  readonly score: Score | undefined
}

export interface Score {
  readonly successes: number
  readonly requests: number
  readonly seconds: number
  /** How long a call took, in seconds: 99 of 100 no longer. */
  readonly p99: number
  /** How calls failed, and how many. */
  readonly failures: ReadonlyMap<string, number>
}

/** Starts the gateway of a match. */
export type Host<E> = (
  options: ThrottledGateway.Options & { readonly limit: Limit.Limit }
) => Effect.Effect<ThrottledGateway.ThrottledGateway, E, Scope.Scope>

/** Callers at work at the same time. */
export const callers = 64

/** A call that has not ended after this long is given up, and has failed. */
const forEver = "3 minutes"

export const play = <E>(match: Match, host: Host<E>): Effect.Effect<Row, E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const gateway = yield* host(match)
      const ask = yield* match.contender.connect(gateway.url)
      if (ask === undefined) return { match, score: undefined }
      // One first success makes the key known good.
      yield* Effect.orDie(ask)
      const before = yield* gateway.requests
      const began = yield* Clock.currentTimeMillis
      const ended = yield* Effect.forEach(Array.from({ length: match.calls }), () => timed(ask), {
        concurrency: callers
      })
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      const requests = (yield* gateway.requests) - before
      return { match, score: sum(ended, requests, seconds) }
    })
  )

interface Ended {
  readonly seconds: number
  readonly failure: string | undefined
}

const timed = (ask: Contenders.Ask): Effect.Effect<Ended> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const outcome = yield* Effect.timeoutOption(Effect.either(ask), forEver)
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    if (Option.isNone(outcome)) return { seconds, failure: "never ended" }
    return { seconds, failure: Either.isLeft(outcome.value) ? failureOf(outcome.value.left) : undefined }
  })

export const sum = (ended: ReadonlyArray<Ended>, requests: number, seconds: number): Score => {
  const failures = new Map<string, number>()
  for (const { failure } of ended) if (failure !== undefined) failures.set(failure, (failures.get(failure) ?? 0) + 1)
  const durations = ended.map(({ seconds }) => seconds).sort((a, b) => a - b)
  return {
    successes: ended.filter(({ failure }) => failure === undefined).length,
    requests,
    seconds,
    p99: durations[Math.max(0, Math.ceil(durations.length * 0.99) - 1)] ?? 0,
    failures
  }
}

/** The tag or the class of what an SDK failed with. */
const failureOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  if ("_tag" in error && error._tag !== "UnknownException") {
    return "reason" in error ? `${error._tag} ${error.reason}` : String(error._tag)
  }
  const cause = "error" in error ? error.error : error
  return cause instanceof Error ? cause.name : String(cause)
}

// What is read off a score

/** From 0 to 1. */
export const successRate = ({ calls }: Match, { successes }: Score): number => successes / calls

export const requestsPerSuccess = ({ requests, successes }: Score): number => requests / successes

/** The time that it took, over the shortest in which the gateway can give so many answers. */
export const overPossible = ({ limit }: Match, { seconds, successes }: Score): number =>
  seconds / Limit.possible(limit, successes)

export const nameOf = ({ contender, limit, refusal }: Match): string =>
  `${Limit.nameOf(limit)}, ${Refusal.nameOf(refusal)}, ${contender.name}`
