/** What the retry machinery costs a call that succeeds: `RetryPolicy.standard` against `RetryPolicy.none`. */
import * as Child from "./Child.js"
import * as Measure from "./Measure.js"
import * as Statistic from "./Statistic.js"

export interface Row {
  readonly client: string
  readonly call: string
  /** CPU per call in microseconds. */
  readonly without: Statistic.Summary
  readonly with: Statistic.Summary
  /** A fraction. */
  readonly extra: Statistic.Summary
}

/** Both in one process, turn by turn, in many short rounds: what is looked for is smaller than what two processes differ by. */
export const run = async (server: Child.Server, rounds: number): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const [client, file] of [
    ["undici", "knowngoodUndici"],
    ["fetch", "knowngoodFetch"]
  ] as const) {
    const worker = await Child.workerOf(file, ["chat", "chatWithoutRetry"])
    for (const [call, measure] of [
      ["reply of 1 KB", Measure.replies],
      ["stream of 8 events", Measure.short]
    ] as const) {
      const job = Measure.jobOf({ ...measure.plan, calls: 256 }, server)
      const players = ["chatWithoutRetry", "chat"].map((name) => ({
        start: async () => {
          for (let batch = 0; batch < 5; batch++) await worker.does(job, name)
        },
        play: () => worker.does(job, name),
        stop: () => {}
      }))
      const [without = [], standard = []] = (await Measure.interleaved(players, rounds)).map((samples) =>
        samples.map(({ cpu = Number.NaN }) => cpu / 256)
      )
      const { max, median, min } = Statistic.ratios(standard, without)
      rows.push({
        client,
        call,
        without: Statistic.summary(without),
        with: Statistic.summary(standard),
        extra: { median: median - 1, min: min - 1, max: max - 1 }
      })
    }
    worker.stop()
  }
  return rows
}
