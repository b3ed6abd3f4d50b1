/**
 * What is said of a storm, and whether all that was promised held.
 */
import * as Check from "./Check.js"
import type * as Storm from "./weather/Storm.js"

/** The heap may have grown by this part of itself. */
const heapMayGrow = 0.1

/**
 * In seconds: a call that is answered at its first request waits for nobody longer. The server asks for 50 ms at most, and
 * may take half a second to answer. The five seconds are real ones, though the storm's rules are made fifty times as
 * quick as the presets': a tenth of a second would be the machine's.
 */
const longestWait = 5 + 0.05 + 0.5

export const checks = (result: Storm.Result, calls: number): ReadonlyArray<Check.Check> => {
  const { sum } = result
  const growth = result.heapAfter / result.heapBefore - 1
  return [
    Check.exactly("calls made", calls, sum.calls),
    Check.none("calls that ended in neither an answer nor a typed error", sum.neither),
    Check.none("duplicates of output", sum.flaws.get("duplicate") ?? 0),
    Check.none("lost events", sum.flaws.get("lost") ?? 0),
    Check.none("mixed-up events", sum.flaws.get("mixed up") ?? 0),
    Check.none("errors that count their requests wrongly", sum.miscounted),
    Check.none("notices more or fewer than requests minus one per call", sum.notices - (sum.requests - sum.calls)),
    Check.none("connections left at the server", result.connectionsLeft),
    Check.none("fibers left", result.fibersLeft),
    Check.atMost(`seconds that a healthy call waited (of ${longestWait})`, longestWait, sum.longestWait),
    Check.atMost("growth of the heap, in per cent", heapMayGrow * 100, Math.round(growth * 1000) / 10)
  ]
}

export const facts = (result: Storm.Result): Readonly<Record<string, unknown>> => ({
  outcomes: Object.fromEntries(result.sum.outcomes),
  arrived: Object.fromEntries(result.arrived),
  requests: result.sum.requests,
  notices: result.sum.notices,
  requestsPerCall: Object.fromEntries(result.sum.perCall),
  heap: [result.heapBefore, result.heapAfter]
})

export const lines = (result: Storm.Result): ReadonlyArray<string> => {
  const { sum } = result
  return [
    "What the server did, by requests (calls that were given up included):",
    ...table(result.arrived),
    "How the calls ended:",
    ...table(sum.outcomes),
    "Requests per call:",
    ...table(new Map([...sum.perCall].sort(([a], [b]) => a - b))),
    `${sum.requests} requests for ${sum.calls} calls, ${sum.notices} notices to the observer`,
    `heap: ${megabytes(result.heapBefore)} before, ${megabytes(result.heapAfter)} after`,
    ...sum.wrong.slice(0, 10)
  ]
}

const table = (counts: ReadonlyMap<string | number, number>): ReadonlyArray<string> =>
  [...counts].map(([name, count]) => `${String(count).padStart(8)}  ${name}`)

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`
