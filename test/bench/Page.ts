/** `docs/benchmarks.md`, from the numbers of one run. */
import * as Contender from "./Contender.js"
import * as Goal from "./Goal.js"
import type * as Hot from "./Hot.js"
import type * as Measure from "./Measure.js"
import type * as Setting from "./Setting.js"
import type * as Statistic from "./Statistic.js"

export interface Report extends Goal.Report {
  readonly setting: Setting.Setting
  readonly rounds: number
  readonly minutes: number
  readonly hot: ReadonlyArray<Hot.Row>
}

export const write = (report: Report): string =>
  `${[
    "# Benchmarks",
    `Written by \`npm run bench\` on ${report.setting.date}, in ${report.minutes.toFixed(1)} minutes. Do not edit: run it again.`,
    `${report.setting.machine}; Node ${report.setting.node}. Each number is the median of ${report.rounds} rounds, followed by [the least, the most].`,
    table(
      ["package", "version"],
      report.setting.packages.map(([name, version]) => [name, version])
    ),
    "## Goals",
    goalsNote,
    table(["measure", "over", "goal", "", "`stream`, or the whole call", "", "`listen`"], Goal.all(report).map(goal)),
    "## What is out of reach, and why",
    outOfReach,
    ...report.results.flatMap(measured),
    "## The smallest program",
    programsNote(report.own),
    table(
      ["", "minified", "gzip", "cold start", "to `fetch`", "type-check"],
      report.programs.map(({ coldStart, coldStartRatio, program, size, typeCheck }) => [
        program,
        `${(size.minified / 1024).toFixed(0)} KB`,
        `${(size.gzip / 1024).toFixed(1)} KB`,
        `${coldStart.median.toFixed(0)} ms`,
        spread(coldStartRatio, "x"),
        `${(typeCheck.median / 1000).toFixed(2)} s`
      ])
    ),
    "## The retry machinery",
    retryNote,
    table(
      ["client", "call", "none, µs", "standard, µs", "extra"],
      report.retry.map((row) => [
        row.client,
        row.call,
        row.without.median.toFixed(0),
        row.with.median.toFixed(0),
        `${percent(row.extra.median)} [${percent(row.extra.min)}, ${percent(row.extra.max)}]`
      ])
    ),
    "## Where the time goes",
    hotNote,
    ...hot(report.hot),
    "## How it is measured",
    method
  ].join("\n\n")}\n`

const goalsNote =
  "CPU of the client's process, as a ratio to a `fetch` loop written by hand on the same wire in the same run, unless a unit says otherwise. `over` is the HTTP client under this SDK: `NodeHttpClient.layerUndici` or `FetchHttpClient.layer`. `chat` is OpenAI's wire, `messages` Anthropic's. A goal counts as reached if the median reaches it on both."

const outOfReach = `- **A request over \`FetchHttpClient\`.** The rows "Effect alone" are the client alone, without an SDK: a fiber, an \`AbortSignal\`, a span, and headers copied into its own objects, all before any of our code runs. Where they miss a goal, nothing built on them can reach it. Over undici the same client leaves room, because \`undici.request\` costs a fraction of \`fetch\`.
- **\`stream\`, where a call is short or every read is one event.** Running the smallest Effect stream there is, of one element, takes some 670 operations of the fiber, as many as two whole calls of ours without one; and each read takes some 30 more, in the channels that \`Stream.run*\` puts around whatever it runs. The SDK can save neither. \`listen\` has neither: use it if you need the speed, and \`stream\` if you need a \`Stream\`.
- **Live memory of a long answer.** What grows is the answer's text, 0.8 MB of it here: a failure carries it as \`partial\`, so that a UI keeps what was shown. On Anthropic's wire, it is also in the blocks that may have to be sent back.
- **70 KB with Effect inside.** The program "Effect alone", which has only the platform's errors, no retry and no key, is larger than that. Our own part is mostly tables and rules: what each of the hundreds of recorded refusals means, as plain data.
- **Cold start.** Most of it is the time to load Effect.`

const programsNote = (own: number): string =>
  `It streams one chat and prints the text ([programs/](../test/bench/programs)); everything included, bundled for a browser by esbuild. Of ours, ${(own / 1024).toFixed(1)} KB (gzip) are not Effect. Cold start: from the start of the process, of one minified file, to its first text. Type-check: \`tsc --noEmit\` with the published declarations, wall time.`

const retryNote =
  "The same calls with `RetryPolicy.none` and `RetryPolicy.standard`, taking turns in one process, 10 rounds. Where the spread is larger than the median, the difference is not measurable."

const hotNote =
  "Shares of CPU samples, by whose code was running; `native` is the engine and the system, mostly reads and writes of sockets. Shares under 2 % are left out."

const method = `- The mock service is plain \`node:http\` in a process of its own: keep-alive, bytes made beforehand, 1, 16 or 256 events per write. Every contender is bundled by esbuild and runs in a process of its own, so that none shares a heap or compiled code with another; they take turns within each round, and each round begins with a different one.
- Each process warms up for more than half a second of CPU time before the first round, and every answer is checked to be complete.
- CPU is \`process.cpuUsage()\` of the client, user and system. A ratio is taken round by round, and the median is that of the ratios.
- "Reads" are network reads per event, counted in the client. A slow client finds more events in each read, which makes its events cheaper: only the paced measure gives everyone the same reads.
- Live memory is \`heapUsed + external\` after a full collection; peak memory is the resident set's maximum as the system counts it. Each round is a fresh process, two at a time, because no time is measured.
- \`@effect/ai-openai\` speaks only the Responses wire, so it is compared with a hand-written loop on that wire. \`ai\` and \`@effect/ai\` get shorter streams, to keep a run short: 2,000 events instead of 20,000, 50 instead of 1,000, 5,000 instead of 200,000.
- The peers are the newest release lines that claim to run on Node 20 (\`openai\` 7, \`ai\` 7, \`undici\` 8 and \`eventsource-parser\` 4 want Node 22).
- \`npm run bench -- --quick --json\` prints the ratios of a short run.`

const goal = (goal: Goal.Goal): ReadonlyArray<string> => [
  goal.title,
  goal.over,
  amount(goal.goal, goal.unit),
  ...verdict(goal, goal.reached),
  ...(goal.byListening.length === 0 ? ["", ""] : verdict(goal, goal.byListening))
]

const verdict = ({ goal, unit }: Goal.Goal, reached: Goal.Reached): ReadonlyArray<string> => [
  Goal.isReached(goal, reached) ? "**yes**" : "no",
  reached.map(([where, value]) => `${where} ${spread(value, unit)}`.trim()).join("; ")
]

const measured = ({ measure, rows }: Measure.Result): ReadonlyArray<string> => {
  const rate = rows.some(({ perSecond }) => perSecond !== undefined)
  const reads = measure.unit === "µs per event"
  return [
    `## ${measure.title}`,
    table(
      [
        "",
        "wire",
        measure.unit,
        ...(measure.against === "nothing" ? [] : ["to `fetch`"]),
        ...(rate ? ["per second"] : []),
        ...(reads ? ["reads"] : [])
      ],
      [...rows]
        .sort(byWire)
        .map((row) => [
          row.contender === Contender.limit ? `*${row.contender}*` : row.contender,
          row.wire,
          spread(row.value, ""),
          ...(measure.against === "nothing" ? [] : [compared(measure, row)]),
          ...(rate ? [Math.round(row.perSecond ?? 0).toLocaleString("en")] : []),
          ...(reads ? [(row.readsPerEvent ?? 0).toFixed(2)] : [])
        ])
    )
  ]
}

const compared = ({ against }: Measure.Measure, { compared }: Measure.Row): string =>
  compared === undefined ? "" : spread(compared, against === "ratio" ? "x" : "ms")

const byWire = (a: Measure.Row, b: Measure.Row): number => a.wire.localeCompare(b.wire)

const hot = (rows: ReadonlyArray<Hot.Row>): ReadonlyArray<string> =>
  Array.from(new Set(rows.map(({ measure }) => measure))).flatMap((measure) => [
    `### ${measure}`,
    table(
      ["", "CPU samples"],
      rows
        .filter((row) => row.measure === measure)
        .map(({ contender, shares }) => [
          contender,
          shares
            .filter(([, share]) => share >= 0.02)
            .map(([owner, share]) => `${owner} ${percent(share)}`)
            .join(", ")
        ])
    )
  ])

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const spread = ({ max, median, min }: Statistic.Summary, unit: string): string =>
  min === max ? amount(median, unit) : `${amount(median, unit)} [${number(min)}, ${number(max)}]`

const amount = (value: number, unit: string): string => `${number(value)}${unit === "x" ? "x" : unit && ` ${unit}`}`

const number = (value: number): string => value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`
