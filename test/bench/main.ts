/**
 * `npm run bench` measures this SDK beside its peers and writes `docs/benchmarks.md`. `--quick` is a short run that
 * writes nothing, `--json` prints the numbers, `--only=bulk,paced` names the measures.
 */
import { execFileSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Bundle from "./Bundle.js"
import * as Child from "./Child.js"
import * as Hot from "./Hot.js"
import * as Measure from "./Measure.js"
import * as Page from "./Page.js"
import * as Program from "./Program.js"
import * as Retry from "./Retry.js"
import * as Setting from "./Setting.js"

const args = process.argv.slice(2)
const quick = args.includes("--quick")
const json = args.includes("--json")
const only = args
  .find((arg) => arg.startsWith("--only="))
  ?.slice(7)
  .split(",")
const rounds = quick ? 3 : 5

/** Progress goes beside the result, so that the result can be piped. */
const say = (line: string): void => console.error(`${Math.round(performance.now() / 1000)} s  ${line}`)

const measures = Measure.all.filter(({ id, quick: short }) =>
  only === undefined ? !quick || short !== undefined : only.includes(id)
)

const measure = async (server: Child.Server): Promise<ReadonlyArray<Measure.Result>> => {
  const results: Array<Measure.Result> = []
  for (const measure of measures) results.push(await Measure.run(measure, { server, rounds, quick, say }))
  return results
}

const show = ({ measure, rows }: Measure.Result): string =>
  [
    measure.title,
    ...rows.map(({ compared, contender, value, wire }) =>
      [
        `  ${wire.padEnd(9)}  ${contender.padEnd(28)}`,
        `${value.median.toFixed(2).padStart(9)} ${measure.unit}`,
        compared === undefined
          ? ""
          : `  ${compared.median.toFixed(2)} [${compared.min.toFixed(2)}, ${compared.max.toFixed(2)}]`
      ].join("")
    )
  ].join("\n")

const plain = (results: ReadonlyArray<Measure.Result>) =>
  results.map(({ measure: { against, id, title, unit }, rows }) => ({ id, title, unit, against, rows }))

const report = async (server: Child.Server): Promise<void> => {
  const began = performance.now()
  await Measure.preflight({ server, quick })
  const results = await measure(server)
  const setting = Setting.read()
  if (json) console.log(JSON.stringify({ ...setting, rounds, measures: plain(results) }, null, 2))
  else console.log(results.map(show).join("\n\n"))
  if (quick || only !== undefined) return

  const programs = await Program.run(server, { coldStart: 2 * rounds, typeCheck: 2 }, say)
  const own = (await Bundle.size("knowngood", Bundle.withoutEffect)).gzip
  say("The retry machinery")
  const retry = await Retry.run(server, 2 * rounds)
  say("Where the time goes")
  const hot = await Hot.run(server)
  const minutes = (performance.now() - began) / 60_000
  const page = join(Bundle.here, "../../docs/benchmarks.md")
  writeFileSync(page, Page.write({ setting, rounds, minutes, results, programs, own, retry, hot }))
  say(`Wrote ${page}`)
}

if (!existsSync(join(Bundle.here, "node_modules", "openai"))) {
  say("Installing the peers")
  execFileSync("npm", ["ci"], { cwd: Bundle.here, stdio: ["ignore", "ignore", "inherit"] })
}
const server = await Child.server()
await report(server).finally(server.stop)
