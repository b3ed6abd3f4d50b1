/** The process of one contender. It does what it is told, one job at a time, and measures itself. */
import * as Net from "node:net"
import type { Client, Connect } from "./Contender.js"
import type { Answered, Calls, Job, Sample, Told } from "./Job.js"
import * as Profile from "./Profile.js"

/** Answers jobs for these contenders. */
export const serve = (contenders: { readonly [name: string]: Connect }): void => {
  process.on("message", async ({ contender, job }: Told) => {
    const answer: Answered = await run(contenders[contender], job).then(
      (sample) => ({ sample }),
      (error) => ({ failed: error instanceof Error ? `${error.stack}` : String(error) })
    )
    process.send?.(answer)
  })
  process.once("disconnect", () => process.exit(0))
}

const run = async (connect: Connect | undefined, job: Job): Promise<Sample> => {
  if (connect === undefined) throw new Error("no such contender")
  const client = clientOf(connect, job.root)
  switch (job.kind) {
    case "calls":
      return calls(client, job)
    case "peak":
      return peak(client, job.events)
    case "growth":
      return growth(client, job.events)
    case "idle":
      return idle(client, job.streams)
  }
}

const clients = new Map<Connect, Map<string, Client>>()

const clientOf = (connect: Connect, root: string): Client => {
  const known = clients.get(connect) ?? new Map<string, Client>()
  const client = known.get(root) ?? connect(root)
  clients.set(connect, known.set(root, client))
  return client
}

const calls = async (client: Client, job: Calls): Promise<Sample> => {
  const first: Array<number> = []
  let left = job.calls

  const stream = async () => {
    const start = performance.now()
    let pieces = 0
    await client.stream(() => {
      if (pieces++ === 0) first.push(performance.now() - start)
    })
    if (pieces !== job.events) throw new Error(`${pieces} pieces of text came instead of ${job.events}`)
  }

  const complete = async () => {
    const text = await client.complete()
    if (text.length < 400) throw new Error(`the reply has ${text.length} characters`)
  }

  const once = job.events === undefined ? complete : stream
  const lane = async () => {
    while (left-- > 0) await once()
  }

  const stop = job.profile === true ? await Profile.start() : undefined
  reads = 0
  const began = performance.now()
  const used = process.cpuUsage()
  await Promise.all(Array.from({ length: job.inFlight }, lane))
  const { system, user } = process.cpuUsage(used)
  const wall = (performance.now() - began) * 1000
  return {
    cpu: user + system,
    wall,
    reads,
    ...(first.length === 0 ? undefined : { first: median(first) * 1000 }),
    ...(stop === undefined ? undefined : { profile: await stop() })
  }
}

/** The most memory that this process ever had, as the system counts it. */
const peak = async (client: Client, events: number): Promise<Sample> => {
  let pieces = 0
  await client.stream(() => {
    pieces++
  })
  if (pieces !== events) throw new Error(`${pieces} pieces of text came instead of ${events}`)
  return { bytes: process.resourceUsage().maxRSS * 1024 }
}

/** How much more is alive near the end of a stream than near its beginning. */
const growth = async (client: Client, events: number): Promise<Sample> => {
  const early = Math.round(events / 20)
  const late = events - early
  let pieces = 0
  let atEarly = 0
  let atLate = 0
  await client.stream(() => {
    pieces++
    if (pieces === early) atEarly = alive()
    if (pieces === late) atLate = alive()
  })
  return { bytes: atLate - atEarly }
}

/** What one open stream holds on to. */
const idle = async (client: Client, streams: number): Promise<Sample> => {
  const open = (count: number) =>
    new Promise<void>((resolve, reject) => {
      let begun = 0
      for (let i = 0; i < count; i++) {
        client
          .stream(() => {
            if (++begun === count) setTimeout(resolve, 200)
          })
          .catch(reject)
      }
    })
  // The first few also load code and grow tables.
  await open(20)
  const before = alive()
  await open(streams)
  return { bytes: (alive() - before) / streams }
}

const alive = (): number => {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
  globalThis.gc()
  globalThis.gc()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const median = (numbers: Array<number>): number => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? 0

/** Every read of a socket ends in `push`, whoever reads it. */
let reads = 0
const push = Net.Socket.prototype.push
Net.Socket.prototype.push = function (...args) {
  reads++
  return push.apply(this, args)
}
