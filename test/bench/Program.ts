/** The smallest program that streams a chat, of each contender: how fast it starts, how large it is, how it type-checks. */
import { spawn, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import * as Bundle from "./Bundle.js"
import type * as Child from "./Child.js"
import * as Scenario from "./Scenario.js"
import * as Statistic from "./Statistic.js"

export interface Program {
  readonly name: string
  /** A file of `programs/`. */
  readonly file: string
}

export const all: ReadonlyArray<Program> = [
  { name: "fetch, by hand", file: "fetch" },
  { name: "Effect alone (fetch)", file: "effect" },
  { name: "knowngood (fetch)", file: "knowngood" },
  { name: "openai", file: "openai" },
  { name: "@anthropic-ai/sdk", file: "anthropic" },
  { name: "ai", file: "aiSdk" },
  { name: "@effect/ai (fetch)", file: "effectAi" }
]

export interface Row {
  readonly program: string
  readonly size: Bundle.Size
  /** From the start of the process to the first text on its standard output, in milliseconds. */
  readonly coldStart: Statistic.Summary
  readonly coldStartRatio: Statistic.Summary
  /** Wall time of `tsc --noEmit` on it, in milliseconds. */
  readonly typeCheck: Statistic.Summary
}

export const run = async (
  server: Child.Server,
  rounds: { readonly coldStart: number; readonly typeCheck: number },
  say: (line: string) => void
): Promise<ReadonlyArray<Row>> => {
  say("Size of the smallest program")
  const sizes = await Promise.all(all.map(({ file }) => Bundle.size(file)))
  say("Cold start of the smallest program")
  const bundles = await Promise.all(
    all.map(({ file }) => Bundle.file(`program-${file}`, { path: `programs/${file}.ts` }, { minify: true }))
  )
  const root = `${server.root(Scenario.make(8))}/v1`
  const starts = await rotated(bundles, rounds.coldStart, (bundle) => coldStart(bundle, root))
  say("Type-check of the smallest program")
  declare()
  const checks = await rotated(all, rounds.typeCheck, async ({ file }) => typeCheck(file))
  return all.map(({ name }, i) => ({
    program: name,
    size: sizes[i] ?? { minified: Number.NaN, gzip: Number.NaN, files: [] },
    coldStart: Statistic.summary(starts[i] ?? []),
    coldStartRatio: Statistic.ratios(starts[i] ?? [], starts[0] ?? []),
    typeCheck: Statistic.summary(checks[i] ?? [])
  }))
}

/** A number for each thing in each round; the rounds begin with another thing each time. */
const rotated = async <A>(
  things: ReadonlyArray<A>,
  rounds: number,
  measure: (thing: A) => Promise<number>
): Promise<ReadonlyArray<ReadonlyArray<number>>> => {
  const numbers: Array<Array<number>> = things.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < things.length; turn++) {
      const i = (round + turn) % things.length
      const thing = things[i]
      if (thing !== undefined) numbers[i]?.push(await measure(thing))
    }
  }
  return numbers
}

const coldStart = (bundle: string, root: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    const child = spawn(process.execPath, [bundle, root], { stdio: ["ignore", "pipe", "inherit"] })
    let took: number | undefined
    child.stdout.once("data", () => {
      took = performance.now() - began
      child.kill()
    })
    child.once("exit", () => (took === undefined ? reject(new Error(`${bundle} said nothing`)) : resolve(took)))
  })

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")

/** The declarations of this package, as it is published: a user's compiler reads these and not the sources. */
const declare = (): void =>
  compile(["-p", join(Bundle.here, "../../src"), "--emitDeclarationOnly", "--outDir", join(Bundle.scratch, "types")])

const typeCheck = (file: string): number => {
  const project = join(Bundle.scratch, `tsconfig.${file}.json`)
  writeFileSync(
    project,
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: { incremental: false, paths: { knowngood: ["./types/index.d.ts"] } },
      include: [],
      files: [`../../programs/${file}.ts`]
    })
  )
  const began = performance.now()
  compile(["-p", project])
  return performance.now() - began
}

const compile = (args: ReadonlyArray<string>): void => {
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...args], { encoding: "utf8" })
  if (status !== 0) throw new Error(`tsc ${args.join(" ")}: ${stdout}`)
}
