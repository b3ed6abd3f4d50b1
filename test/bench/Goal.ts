/** What this SDK wants to reach. Ratios and differences are to the hand-written `fetch` loop in the same run. */
import type * as Measure from "./Measure.js"
import type * as Program from "./Program.js"
import type * as Retry from "./Retry.js"
import type * as Statistic from "./Statistic.js"

export interface Report {
  readonly results: ReadonlyArray<Measure.Result>
  readonly programs: ReadonlyArray<Program.Row>
  /** Bytes, gzip: what of the smallest program is not Effect. */
  readonly own: number
  readonly retry: ReadonlyArray<Retry.Row>
}

export interface Goal {
  readonly title: string
  readonly over: "undici" | "fetch"
  readonly goal: number
  readonly unit: "x" | "ms" | "MB" | "KB" | "%"
  readonly reached: Reached
  /** The same with `listen`, where the call streams. */
  readonly byListening: Reached
}

/** By wire or by kind of call. */
export type Reached = ReadonlyArray<readonly [where: string, value: Statistic.Summary]>

interface Wanted {
  readonly id: string
  readonly undici: number
  readonly fetch: number
}

const wanted: ReadonlyArray<Wanted> = [
  { id: "bulk", undici: 1.1, fetch: 1.6 },
  { id: "many", undici: 1.35, fetch: 1.5 },
  { id: "paced", undici: 1.0, fetch: 1.3 },
  { id: "short", undici: 1.1, fetch: 1.5 },
  { id: "replies", undici: 0.75, fetch: 1.3 },
  { id: "first", undici: 0.1, fetch: 0.2 },
  { id: "growth", undici: 1, fetch: 1 },
  { id: "peak", undici: 120, fetch: 120 },
  { id: "idle", undici: 60, fetch: 100 }
]

const clients = ["undici", "fetch"] as const

export const all = ({ own, programs, results, retry }: Report): ReadonlyArray<Goal> => [
  ...results.flatMap(({ measure, rows }) => {
    const want = wanted.find(({ id }) => id === measure.id)
    return want === undefined ? [] : clients.map((over) => ofMeasure(measure, rows, over, want[over]))
  }),
  ...programs
    .filter(({ program }) => program.startsWith("knowngood"))
    .flatMap(({ coldStartRatio, size }) => [
      ofProgram("Smallest program, gzip", 70, "KB", kb(size.gzip)),
      ofProgram("Our own part of it, gzip", 12, "KB", kb(own)),
      ofProgram("Cold start", 1.2, "x", coldStartRatio)
    ]),
  ...clients.map(
    (over): Goal => ({
      title: "Retry machinery on a call that succeeds",
      over,
      goal: 5,
      unit: "%",
      reached: retry.filter(({ client }) => client === over).map(({ call, extra }) => [call, times(extra, 100)]),
      byListening: []
    })
  )
]

const ofProgram = (title: string, goal: number, unit: Goal["unit"], value: Statistic.Summary): Goal => ({
  title,
  over: "fetch",
  goal,
  unit,
  reached: [["", value]],
  byListening: []
})

/** On every wire. */
export const isReached = (goal: number, reached: Reached): boolean =>
  reached.length > 0 && reached.every(([, { median }]) => median <= goal)

const ofMeasure = (
  measure: Measure.Measure,
  rows: ReadonlyArray<Measure.Row>,
  over: "undici" | "fetch",
  goal: number
): Goal => ({
  title: measure.title,
  over,
  goal,
  unit: measure.against === "ratio" ? "x" : measure.unit === "MB" || measure.unit === "KB" ? measure.unit : "ms",
  reached: reachedBy(`knowngood (${over})`, rows),
  byListening: reachedBy(`knowngood listen (${over})`, rows)
})

const reachedBy = (name: string, rows: ReadonlyArray<Measure.Row>): Reached =>
  rows.filter(({ contender }) => contender === name).map(({ compared, value, wire }) => [wire, compared ?? value])

const kb = (bytes: number): Statistic.Summary => ({ median: bytes / 1024, min: bytes / 1024, max: bytes / 1024 })

const times = ({ max, median, min }: Statistic.Summary, factor: number): Statistic.Summary => ({
  median: median * factor,
  min: min * factor,
  max: max * factor
})
