/**
 * What is said of a run, and whether all that was promised held.
 */
import type * as Chaos from "./Chaos.js"

/** One promise: what was counted, and whether that is as it should be. */
export interface Check {
  readonly name: string
  readonly found: number
  readonly holds: boolean
}

/** The heap may have grown by this part of itself. */
const heapMayGrow = 0.1

export const checks = (result: Chaos.Result, calls: number): ReadonlyArray<Check> => {
  const { sum } = result
  const none = (name: string, found: number): Check => ({ name, found, holds: found === 0 })
  const growth = result.heapAfter / result.heapBefore - 1
  return [
    { name: "calls made", found: sum.calls, holds: sum.calls === calls },
    none("calls that ended in neither an answer nor a typed error", sum.neither.length),
    none("duplicates of output", sum.flaws.get("duplicate") ?? 0),
    none("lost events", sum.flaws.get("lost") ?? 0),
    none("mixed-up events", sum.flaws.get("mixed up") ?? 0),
    none("errors that count their requests wrongly", sum.miscounted),
    none("notices more or fewer than requests minus one per call", sum.notices - (sum.requests - sum.calls)),
    none("unhandled rejections and exceptions", result.unhandled.length),
    none("connections left at the server", result.connectionsLeft),
    none("sockets left in the process", result.socketsLeft),
    none("fibers left", result.fibersLeft),
    { name: "growth of the heap, in per cent", found: Math.round(growth * 1000) / 10, holds: growth <= heapMayGrow }
  ]
}

export const json = (result: Chaos.Result, seed: number, all: ReadonlyArray<Check>): string =>
  JSON.stringify({
    seed,
    seconds: result.seconds,
    outcomes: Object.fromEntries(result.sum.outcomes),
    arrived: Object.fromEntries(result.arrived),
    requests: result.sum.requests,
    notices: result.sum.notices,
    requestsPerCall: Object.fromEntries(result.sum.perCall),
    heap: [result.heapBefore, result.heapAfter],
    checks: all,
    holds: all.every(({ holds }) => holds)
  })

export const text = (result: Chaos.Result, seed: number, all: ReadonlyArray<Check>): string => {
  const { sum } = result
  return [
    `${sum.calls} calls, seed ${seed}, ${result.seconds.toFixed(1)} s`,
    "",
    "What the server did, by requests (calls that were given up included):",
    ...table(result.arrived),
    "",
    "How the calls ended:",
    ...table(sum.outcomes),
    "",
    "Requests per call:",
    ...table(new Map([...sum.perCall].sort(([a], [b]) => a - b))),
    "",
    `${sum.requests} requests for ${sum.calls} calls, ${sum.notices} notices to the observer`,
    `heap: ${megabytes(result.heapBefore)} before, ${megabytes(result.heapAfter)} after`,
    "",
    ...all.map(({ found, holds, name }) => `${holds ? "ok    " : "FAILED"} ${String(found).padStart(6)} ${name}`),
    ...[...sum.neither, ...result.unhandled].slice(0, 10).map((line) => `       ${line}`)
  ].join("\n")
}

const table = (counts: ReadonlyMap<string | number, number>): ReadonlyArray<string> =>
  [...counts].map(([name, count]) => `${String(count).padStart(8)}  ${name}`)

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MB`
