/** The other processes of a run: the mock server, and one worker for each contender. */
import { type ChildProcess, fork } from "node:child_process"
import * as Bundle from "./Bundle.js"
import type * as Contender from "./Contender.js"
import type { Answered, Job, Sample } from "./Job.js"
import * as Scenario from "./Scenario.js"
import type * as Wire from "./Wire.js"

export interface Server {
  /** Where the API begins, for a scenario. */
  readonly root: (scenario: Scenario.Scenario) => string
  readonly stop: () => void
}

export const server = async (): Promise<Server> => {
  const child = fork(await Bundle.file("server", { path: "Server.ts" }))
  const port = await said<number>(child)
  return {
    root: (scenario) => `http://127.0.0.1:${port}/${Scenario.segment(scenario)}`,
    stop: () => child.kill()
  }
}

export interface Worker {
  /** One job after the other. */
  readonly does: (job: Job, contender?: string) => Promise<Sample>
  readonly stop: () => void
}

/** The process of a contender on one wire. */
export const worker = async (contender: Contender.Contender, wire: Wire.Name): Promise<Worker> =>
  start(
    `${contender.file}-${wire}`,
    `import { serve } from "./Worker.ts"
     import { ${wire} } from "./contenders/${contender.file}.ts"
     serve({ "": ${wire} })`
  )

/** The process of several contenders in one file, by the names of their exports. */
export const workerOf = async (file: string, exports: ReadonlyArray<string>): Promise<Worker> =>
  start(
    `${file}-of`,
    `import { serve } from "./Worker.ts"
     import { ${exports.join(", ")} } from "./contenders/${file}.ts"
     serve({ ${exports.join(", ")} })`
  )

const bundles = new Map<string, Promise<string>>()

const start = async (name: string, source: string): Promise<Worker> => {
  const bundle = bundles.get(name) ?? Bundle.file(name, { source })
  bundles.set(name, bundle)
  const child = fork(await bundle, { execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "inherit", "ipc"] })
  const once = async (job: Job, contender: string): Promise<Sample> => {
    child.send({ job, contender })
    const answer = await said<Answered>(child)
    if ("failed" in answer) throw new Error(`${name}: ${answer.failed}`)
    return answer.sample
  }
  let last: Promise<unknown> = Promise.resolve()
  return {
    does: (job, contender = "") => {
      const next = last.then(() => once(job, contender))
      last = next
      return next
    },
    stop: () => child.kill()
  }
}

/** The next message of a process. One that ends instead has failed. */
const said = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null) =>
      reject(new Error(`${child.spawnargs.at(-1)} ended with ${code ?? signal}`))
    child.once("exit", onExit)
    child.once("message", (message) => {
      child.off("exit", onExit)
      resolve(message as A)
    })
  })
