/** What is measured, and the rounds in which it is. */
import * as Child from "./Child.js"
import * as Contender from "./Contender.js"
import type { Job, Sample } from "./Job.js"
import * as Scenario from "./Scenario.js"
import * as Statistic from "./Statistic.js"
import type * as Wire from "./Wire.js"

export interface Measure {
  readonly id: string
  readonly title: string
  /** What one number is. */
  readonly unit: Unit
  /** What is different in a quick run. Nothing: not a part of it. */
  readonly quick: Partial<Plan> | undefined
  /** What is different for a slow contender, so that a run ends. */
  readonly slow: Partial<Plan>
  /** The hand-written loop is divided by, subtracted, or only shown beside. */
  readonly against: "ratio" | "difference" | "nothing"
  /** A number per job from what was measured. */
  readonly number: (sample: Sample, job: Plan) => number
  readonly plan: Plan
  /** Each round in a process of its own, because a process can be measured only once. */
  readonly fresh: boolean
  readonly wires: ReadonlyArray<Wire.Name>
}

export type Unit = "µs per event" | "µs per call" | "ms" | "MB" | "KB"

export interface Plan {
  readonly kind: Job["kind"]
  readonly scenario: Scenario.Scenario
  /** No stream is asked for. */
  readonly whole?: boolean
  readonly calls: number
  readonly inFlight: number
}

export interface Row {
  readonly contender: string
  readonly wire: Wire.Name
  readonly value: Statistic.Summary
  /** Against the hand-written loop on the same wire; nothing for the loop itself. */
  readonly compared: Statistic.Summary | undefined
  /** Calls, or events, in a second of wall time. */
  readonly perSecond: number | undefined
  /** Network reads per event. */
  readonly readsPerEvent: number | undefined
}

export interface Result {
  readonly measure: Measure
  readonly rows: ReadonlyArray<Row>
}

const both: ReadonlyArray<Wire.Name> = ["chat", "messages"]
const wires: ReadonlyArray<Wire.Name> = [...both, "responses"]

const cpuPerEvent = (sample: Sample, { calls, scenario }: Plan) => (sample.cpu ?? Number.NaN) / calls / scenario.events
const cpuPerCall = (sample: Sample, { calls }: Plan) => (sample.cpu ?? Number.NaN) / calls
const mb = (sample: Sample) => (sample.bytes ?? Number.NaN) / 2 ** 20

const calls = (id: string, title: string, unit: Unit, plan: Omit<Plan, "kind">, rest?: Partial<Measure>): Measure => ({
  id,
  title,
  unit,
  quick: undefined,
  slow: {},
  against: "ratio",
  number: unit === "µs per event" ? cpuPerEvent : cpuPerCall,
  plan: { kind: "calls", ...plan },
  fresh: false,
  wires: both,
  ...rest
})

const memory = (
  id: "growth" | "peak" | "idle",
  title: string,
  unit: Unit,
  { scenario, slow = {} }: Pick<Plan, "scenario"> & { readonly slow?: Partial<Plan> },
  number: Measure["number"]
): Measure => ({
  id,
  title,
  unit,
  quick: undefined,
  slow,
  against: "nothing",
  number,
  plan: { kind: id, scenario, calls: 1, inFlight: 1 },
  fresh: true,
  wires: both
})

const reply = { scenario: Scenario.make(0), whole: true }

const long = {
  scenario: Scenario.make(200_000, { perWrite: 16 }),
  slow: { scenario: Scenario.make(5000, { perWrite: 16 }) }
}

export const bulk = calls(
  "bulk",
  "One stream of 20,000 events, 16 per write",
  "µs per event",
  { scenario: Scenario.make(20_000, { perWrite: 16 }), calls: 2, inFlight: 1 },
  { wires, quick: {}, slow: { scenario: Scenario.make(2000, { perWrite: 16 }), calls: 1 } }
)

export const paced = calls(
  "paced",
  "64 streams at once, one event each every 5 ms",
  "µs per event",
  { scenario: Scenario.make(50, { pace: 5 }), calls: 64, inFlight: 64 },
  { quick: { scenario: Scenario.make(50, { pace: 5 }) } }
)

export const short = calls(
  "short",
  "A stream of 8 events, the whole call",
  "µs per call",
  { scenario: Scenario.make(8), calls: 150, inFlight: 1 },
  { quick: { calls: 100 }, slow: { calls: 100 } }
)

export const replies = calls(
  "replies",
  "Replies of 1 KB, not streamed, 64 in flight",
  "µs per call",
  { ...reply, calls: 320, inFlight: 64 },
  { quick: { calls: 320 } }
)

export const all: ReadonlyArray<Measure> = [
  bulk,
  calls(
    "bulk256",
    "One stream of 20,000 events, 256 per write",
    "µs per event",
    { scenario: Scenario.make(20_000, { perWrite: 256 }), calls: 2, inFlight: 1 },
    { wires: ["chat"], slow: { scenario: Scenario.make(2000, { perWrite: 256 }), calls: 1 } }
  ),
  calls(
    "many",
    "64 streams of 1,000 events at once, one event per write",
    "µs per event",
    { scenario: Scenario.make(1000), calls: 64, inFlight: 64 },
    { quick: { scenario: Scenario.make(200) }, slow: { scenario: Scenario.make(50) } }
  ),
  paced,
  short,
  calls(
    "reply",
    "Replies of 1 KB, not streamed, one at a time",
    "µs per call",
    { ...reply, calls: 200, inFlight: 1 },
    { wires: ["chat"] }
  ),
  replies,
  calls(
    "first",
    "From the call to the first event, one stream at a time",
    "ms",
    { scenario: Scenario.make(2, { pace: 2 }), calls: 30, inFlight: 1 },
    { quick: { calls: 40 }, against: "difference", number: (sample) => (sample.first ?? Number.NaN) / 1000 }
  ),
  memory("growth", "Live memory gained over a stream of 200,000 events", "MB", long, mb),
  memory("peak", "Peak memory of a process that reads a stream of 200,000 events", "MB", long, mb),
  memory(
    "idle",
    "Live memory of an open stream that says nothing, of 500",
    "KB",
    { scenario: Scenario.make(1, { hold: true }) },
    (sample) => (sample.bytes ?? Number.NaN) / 2 ** 10
  )
]

export interface Run {
  readonly server: Child.Server
  readonly rounds: number
  readonly quick: boolean
  readonly say: (line: string) => void
}

/** Each contender shows that it can do both, before minutes are spent. */
export const preflight = async ({ quick, server }: Pick<Run, "server" | "quick">): Promise<void> => {
  for (const wire of wires) {
    for (const contender of Contender.on(wire, quick, "stream")) {
      const worker = await Child.worker(contender, wire)
      for (const plan of [{ scenario: Scenario.make(20, { perWrite: 8 }) }, reply]) {
        await worker.does(jobOf({ kind: "calls", calls: 2, inFlight: 1, ...plan }, server))
      }
      worker.stop()
    }
  }
}

/** Measures every contender on every wire. */
export const run = async (measure: Measure, options: Run): Promise<Result> => {
  const rows: Array<Row> = []
  for (const wire of options.quick ? measure.wires.slice(0, 1) : measure.wires) {
    options.say(`${measure.title}, ${wire}`)
    rows.push(...(await onWire(measure, wire, options)))
  }
  return { measure, rows }
}

const onWire = async (measure: Measure, wire: Wire.Name, options: Run): Promise<ReadonlyArray<Row>> => {
  const contenders = Contender.on(wire, options.quick, kindOf(measure))
  const samples = await interleaved(
    contenders.map((contender) => player(measure, contender, wire, options)),
    options.rounds,
    // Memory needs no quiet machine.
    measure.fresh ? 2 : 1
  )
  const numbers = (contender: Contender.Contender, i: number) =>
    (samples[i] ?? []).map((sample) => measure.number(sample, planOf(measure, contender, options.quick)))
  const limit = contenders.flatMap((contender, i) => (contender.name === Contender.limit ? numbers(contender, i) : []))
  return contenders.map((contender, i) => {
    const mine = numbers(contender, i)
    const compare = measure.against === "ratio" ? Statistic.ratios : Statistic.differences
    const isLimit = contender.name === Contender.limit
    return {
      contender: contender.name,
      wire,
      value: Statistic.summary(mine),
      compared: isLimit || measure.against === "nothing" ? undefined : compare(mine, limit),
      ...rates(measure, planOf(measure, contender, options.quick), samples[i] ?? [])
    }
  })
}

const kindOf = ({ fresh, plan }: Measure): Contender.Kind =>
  fresh ? "memory" : plan.whole === true ? "whole" : "stream"

const rates = ({ unit }: Measure, { calls, kind, scenario, whole }: Plan, samples: ReadonlyArray<Sample>) => {
  const wall = Statistic.summary(samples.map(({ wall = Number.NaN }) => wall)).median / 1e6
  const reads = Statistic.summary(samples.map(({ reads = Number.NaN }) => reads)).median
  const things = unit === "µs per event" ? calls * scenario.events : calls
  return {
    perSecond: kind === "calls" ? things / wall : undefined,
    readsPerEvent: kind === "calls" && whole !== true ? reads / calls / scenario.events : undefined
  }
}

/** One who takes part in the rounds. */
export interface Player {
  /** Warms up: the engine compiles hot code only after a second or so of it. */
  readonly start: () => Promise<void>
  readonly play: () => Promise<Sample>
  readonly stop: () => void
}

/** Each round is played by everyone, beginning with another one each time. */
export const interleaved = async (
  players: ReadonlyArray<Player>,
  rounds: number,
  atOnce = 1
): Promise<ReadonlyArray<ReadonlyArray<Sample>>> => {
  const samples: Array<Array<Sample>> = players.map(() => [])
  try {
    await Promise.all(players.map((player) => player.start()))
    for (let round = 0; round < rounds; round++) {
      const order = players.map((_, turn) => (round + turn) % players.length)
      while (order.length > 0) {
        const turn = order.splice(0, atOnce)
        const played = await Promise.all(turn.map((i) => players[i]?.play()))
        for (const [at, i] of turn.entries()) {
          const sample = played[at]
          if (sample !== undefined) samples[i]?.push(sample)
        }
      }
    }
  } finally {
    for (const player of players) player.stop()
  }
  return samples
}

const player = (measure: Measure, contender: Contender.Contender, wire: Wire.Name, options: Run): Player => {
  const job = jobOf(planOf(measure, contender, options.quick), options.server)
  let worker: Child.Worker | undefined
  return {
    start: async () => {
      if (measure.fresh) return
      worker = await Child.worker(contender, wire)
      const enough = options.quick ? 300_000 : 600_000
      for (let used = 0; used < enough; ) used += (await worker.does(job)).cpu ?? enough
    },
    play: async () => {
      if (worker !== undefined) return worker.does(job)
      const once = await Child.worker(contender, wire)
      return once.does(job).finally(once.stop)
    },
    stop: () => worker?.stop()
  }
}

const planOf = ({ plan, quick, slow }: Measure, contender: Contender.Contender, isQuick: boolean): Plan => ({
  ...plan,
  ...(isQuick ? quick : undefined),
  ...(contender.slow === true ? slow : undefined)
})

export const jobOf = ({ calls, inFlight, kind, scenario, whole }: Plan, server: Child.Server): Job => {
  const root = server.root(scenario)
  switch (kind) {
    case "calls":
      return { kind, root, calls, inFlight, events: whole === true ? undefined : scenario.events }
    case "peak":
    case "growth":
      return { kind, root, events: scenario.events }
    case "idle":
      return { kind, root, streams: 500 }
  }
}
