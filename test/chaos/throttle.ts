/**
 * 64 callers at a gateway that allows less, after one first success: every way to refuse, by places and by rate, this SDK
 * and two others. The exit code says whether this SDK reached its goals (`Goal.ts`).
 *
 * `npx tsx test/chaos/throttle.ts [--nginx] [--limit places:16] [--refusal 401] [--contender knowngood] [--quick]
 * [--load N] [--json | --page]`. The selections may be repeated.
 */
import { cpus } from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect } from "effect"
import * as Contenders from "./Contenders.js"
import * as Limit from "./Limit.js"
import * as Nginx from "./Nginx.js"
import * as Refusal from "./Refusal.js"
import * as Row from "./Row.js"
import * as Table from "./Table.js"
import * as ThrottledGateway from "./ThrottledGateway.js"

const { values: given } = parseArgs({
  options: {
    nginx: { type: "boolean", default: false },
    limit: { type: "string", multiple: true },
    refusal: { type: "string", multiple: true },
    contender: { type: "string", multiple: true },
    // A quarter of the calls: enough to see success and waits, not to be held to requests and time.
    quick: { type: "boolean", default: false },
    // Rows are played beside each other as long as their answers together are no more than this many a second.
    load: { type: "string", default: "200" },
    json: { type: "boolean", default: false },
    page: { type: "boolean", default: false }
  }
})

/** Those of them that are named; all, if none is. */
const chosen = <A>(
  flag: string,
  all: ReadonlyArray<A>,
  namesOf: (one: A) => ReadonlyArray<string>,
  names: ReadonlyArray<string> | undefined
): ReadonlyArray<A> => {
  const known = new Set(all.flatMap(namesOf))
  const unknown = names?.find((name) => !known.has(name))
  if (unknown !== undefined) throw new TypeError(`--${flag} ${unknown} is none of: ${[...known].join("; ")}`)
  return all.filter((one) => names === undefined || namesOf(one).some((name) => names.includes(name)))
}

const limits = chosen("limit", Limit.all, (limit) => [Limit.nameOf(limit)], given.limit)
const refusals = chosen("refusal", Refusal.all, (one) => [String(one.status), Refusal.nameOf(one)], given.refusal)
const contenders = chosen("contender", Contenders.all, ({ id }) => [id], given.contender)
const load = Number(given.load)
if (!(load > 0)) throw new TypeError(`--load is no number above 0: ${given.load}`)

const matches: ReadonlyArray<Row.Match> = limits.flatMap((limit) =>
  refusals.flatMap((refusal) =>
    contenders.map((contender) => ({
      limit,
      refusal,
      contender,
      calls: Math.ceil(Limit.callsOf(limit) / (given.quick ? 4 : 1))
    }))
  )
)

/** The part of the load that it takes. One that asks without pause takes all of it. */
const weightOf = ({ contender, limit, refusal }: Row.Match): number =>
  refusal.status === 401 && !contender.retries401 ? load : Math.min(load, Limit.answersPerSecond(limit))

const quiet = given.json || given.page

const program = Effect.gen(function* () {
  const gateway = given.nginx ? yield* Nginx.version : "the project's own gateway"
  const host: Row.Host<Nginx.NginxError> = given.nginx ? Nginx.make : ThrottledGateway.make
  const delay = monitorEventLoopDelay({ resolution: 10 })
  const places = yield* Effect.makeSemaphore(load)
  delay.enable()
  if (!quiet) yield* Console.log(`as they come, of ${matches.length}:\n${Table.head}`)
  const rows = yield* Effect.forEach(
    matches,
    (match) =>
      Row.play(match, host).pipe(
        Effect.tap((row) => (quiet ? Console.error(Row.nameOf(match)) : Console.log(Table.line(row)))),
        places.withPermits(weightOf(match))
      ),
    { concurrency: "unbounded" }
  )
  delay.disable()
  const setting: Table.Setting = {
    gateway,
    date: DateTime.formatIsoDateUtc(yield* DateTime.now),
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    node: process.version,
    // What it measures contains its own resolution.
    late: Math.max(0, delay.percentile(99) / 1e6 - 10)
  }
  yield* Console.log(
    given.json ? Table.json(rows, setting) : given.page ? Table.page(rows, setting) : `\n${Table.text(rows, setting)}`
  )
  process.exitCode = Table.holds(rows) ? 0 : 1
}).pipe(
  Effect.catchTag("NginxError", ({ message }) =>
    Effect.zipRight(
      Console.error(message),
      Effect.sync(() => {
        process.exitCode = 2
      })
    )
  )
)

// Also when it is stopped from outside, no nginx stays behind.
NodeRuntime.runMain(program)
