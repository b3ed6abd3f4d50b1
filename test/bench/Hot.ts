/** Where this SDK's CPU time goes, by whose code it is spent in. */
import * as Child from "./Child.js"
import * as Contender from "./Contender.js"
import * as Measure from "./Measure.js"

export interface Row {
  readonly measure: string
  readonly contender: string
  /** Fractions, the largest first. */
  readonly shares: ReadonlyArray<readonly [owner: string, share: number]>
}

const measures = [Measure.bulk, Measure.paced, Measure.short, Measure.replies]

export const run = async (server: Child.Server): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const contender of Contender.all.filter(({ file }) => /^(fetch|knowngood)/.test(file))) {
    const worker = await Child.worker(contender, "chat")
    for (const { plan, title } of measures) {
      const job = Measure.jobOf(plan, server)
      if (job.kind !== "calls") continue
      for (let batch = 0; batch < 3; batch++) await worker.does(job)
      const { profile = {} } = await worker.does({ ...job, profile: true })
      const shares = Object.entries(profile).sort(([, a], [, b]) => b - a)
      rows.push({ measure: title, contender: contender.name, shares })
    }
    worker.stop()
  }
  return rows
}
