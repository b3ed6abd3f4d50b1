/**
 * What this SDK wants to reach in each row of the table.
 */
import * as Contenders from "./Contenders.js"
import type * as Limit from "./Limit.js"
import * as Row from "./Row.js"

export interface Goal {
  readonly what: "success" | "requests per success" | "time over the possible time" | "p99" | "p99 of the AI SDK"
  /** The least for `success`, the most for the rest. */
  readonly wanted: number
  readonly found: number
  readonly reached: boolean
}

/** A call may not wait longer than this, in seconds, where a free place is never far. */
const p99 = 3

/** What counts as the same p99: clocks and the machine are not exact. */
const same = 1.02

/**
 * The goals of a row, `[]` for another SDK's. A run with fewer calls than it takes is not held to requests and time: what
 * 64 callers are refused in the first moment would decide.
 */
export const of = ({ match, score }: Row.Row, all: ReadonlyArray<Row.Row>): ReadonlyArray<Goal> => {
  if (match.contender.id !== Contenders.own.id || score === undefined) return []
  const { limit, refusal } = match
  const found = Row.successRate(match, score)
  const most = (what: Goal["what"], wanted: number, found: number): Goal => ({
    what,
    wanted,
    found,
    // What is no number is not reached.
    reached: found <= wanted
  })
  const requests = isEnough(match) ? requestsOf(limit) : undefined
  const rival = all.find((row) => isSameFor(match, row.match) && row.match.contender.id === Contenders.rival.id)
  const rivals =
    rival?.score !== undefined && Row.successRate(rival.match, rival.score) >= found ? rival.score : undefined
  return [
    { what: "success", wanted: 1, found, reached: found >= 1 },
    ...(requests === undefined ? [] : [most("requests per success", requests, Row.requestsPerSuccess(score))]),
    ...(isFast(limit) && isEnough(match)
      ? [most("time over the possible time", 1.15, Row.overPossible(match, score))]
      : []),
    ...(isFast(limit) && refusal.retryAfter === undefined ? [most("p99", p99, score.p99)] : []),
    ...(rivals === undefined ? [] : [most("p99 of the AI SDK", rivals.p99 * same, score.p99)])
  ]
}

/** Whether a run with so many calls says something about requests and time. */
const isEnough = ({ calls, limit }: Row.Match): boolean => calls >= (isFast(limit) ? 2000 : 300)

const requestsOf = (limit: Limit.Limit): number | undefined => (isFast(limit) ? 1.06 : isSlow(limit) ? 1.3 : undefined)

const isFast = (limit: Limit.Limit): boolean => (limit._tag === "Places" ? limit.places >= 16 : limit.perSecond >= 50)

const isSlow = (limit: Limit.Limit): boolean => (limit._tag === "Places" ? limit.places <= 1 : limit.perSecond <= 5)

const isSameFor = (one: Row.Match, other: Row.Match): boolean =>
  one.limit === other.limit && one.refusal === other.refusal
