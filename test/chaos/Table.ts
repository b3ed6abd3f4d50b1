/**
 * The table of `npm run throttle`: for the eye, for a program, for a page.
 */
import * as Goal from "./Goal.js"
import * as Limit from "./Limit.js"
import * as Refusal from "./Refusal.js"
import * as Row from "./Row.js"

/** On what a table was measured. */
export interface Setting {
  /** `nginx/1.22.1`, or the project's own. */
  readonly gateway: string
  readonly date: string
  readonly machine: string
  readonly node: string
  /** How late this process's timers came, in milliseconds: 99 of 100 no later. A busy machine shows here. */
  readonly late: number
}

export const holds = (rows: ReadonlyArray<Row.Row>): boolean =>
  rows.every((row) => Goal.of(row, rows).every(({ reached }) => reached))

export const json = (rows: ReadonlyArray<Row.Row>, setting: Setting): string =>
  JSON.stringify({
    setting,
    callers: Row.callers,
    rows: rows.map((row) => ({
      limit: Limit.nameOf(row.match.limit),
      refusal: Refusal.nameOf(row.match.refusal),
      contender: row.match.contender.id,
      calls: row.match.calls,
      ...(row.score === undefined
        ? { installed: false }
        : {
            ...row.score,
            failures: Object.fromEntries(row.score.failures),
            possible: Limit.possible(row.match.limit, row.score.successes)
          }),
      goals: Goal.of(row, rows)
    })),
    holds: holds(rows)
  })

// For the eye

const columns: ReadonlyArray<readonly [title: string, width: number]> = [
  ["limit", -11],
  ["refusal", -20],
  ["contender", -28],
  ["calls", 6],
  ["success", 10],
  ["req/succ", 10],
  ["time/poss.", 12],
  ["p99 s", 8]
]

const cells = (texts: ReadonlyArray<string>): string =>
  texts
    .map((text, i) => {
      const width = columns[i]?.[1] ?? 0
      return width < 0 ? text.padEnd(-width) : text.padStart(width)
    })
    .join("")

export const head: string = cells(columns.map(([title]) => title))

/** A row of which not all are known yet has no verdict. */
export const line = (row: Row.Row, all?: ReadonlyArray<Row.Row>): string => {
  const { contender, limit, refusal } = row.match
  const names = [Limit.nameOf(limit), Refusal.nameOf(refusal), contender.name]
  return `${cells([...names, ...figures(row)])}${all === undefined ? "" : verdict(row, all)}`
}

export const text = (rows: ReadonlyArray<Row.Row>, setting: Setting): string =>
  [
    `${Row.callers} callers at ${setting.gateway}; timers were late by ${setting.late.toFixed(0)} ms (p99)`,
    "",
    head,
    ...rows.map((row) => line(row, rows)),
    "",
    sentence(rows)
  ].join("\n")

const sentence = (rows: ReadonlyArray<Row.Row>): string =>
  !holds(rows)
    ? "Goals are missed."
    : rows.some((row) => Goal.of(row, rows).length > 0)
      ? "All goals are reached."
      : "No row has goals."

const figures = ({ match, score }: Row.Row): ReadonlyArray<string> =>
  score === undefined
    ? [String(match.calls), "not installed", "", "", ""]
    : [
        String(match.calls),
        `${percent(Row.successRate(match, score))} %`,
        number(Row.requestsPerSuccess(score), 3),
        number(Row.overPossible(match, score), 2),
        number(score.p99, 1)
      ]

const verdict = (row: Row.Row, all: ReadonlyArray<Row.Row>): string => {
  const goals = Goal.of(row, all)
  if (goals.length === 0) return ""
  const missed = goals.filter(({ reached }) => !reached)
  const failures = [...(row.score?.failures ?? [])].map(([name, count]) => `${count} x ${name}`)
  return missed.length === 0
    ? "  ok"
    : `  missed: ${[...missed.map(({ found, wanted, what }) => `${what} ${number(found, 3)} for ${number(wanted, 3)}`), ...failures].join("; ")}`
}

/** Rounded down: 99.98 is not 100. */
const percent = (rate: number): string => (Math.floor(rate * 1000) / 10).toFixed(1)

const number = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : "–")

// For a page

/** Markdown, from a heading of the second level on. */
export const page = (rows: ReadonlyArray<Row.Row>, setting: Setting): string => {
  const limits = [...new Set(rows.map(({ match }) => match.limit))]
  return [
    `## Measured at ${setting.gateway}`,
    `Written by \`npm run throttle\` on ${setting.date}: ${Row.callers} callers, an answer takes ${Limit.service} ms, one first success. ${setting.machine}; Node ${setting.node}. Timers were late by ${setting.late.toFixed(0)} ms (p99).`,
    "The time is held against the shortest in which the gateway can give as many answers as it gave. The p99 is that of a call, its waits and retries included.",
    ...limits.flatMap((limit) => [
      `### ${wordsOf(limit)}`,
      markdown(
        ["refusal", "client", "calls", "success", "requests per success", "time over the possible", "p99, s", "goals"],
        rows
          .filter(({ match }) => match.limit === limit)
          .map((row) => [
            Refusal.nameOf(row.match.refusal),
            row.match.contender.name,
            ...figures(row),
            goals(row, rows)
          ])
      )
    ]),
    ""
  ].join("\n\n")
}

const wordsOf = (limit: Limit.Limit): string =>
  limit._tag === "Places"
    ? `${limit.places} ${limit.places === 1 ? "request" : "requests"} at the same time`
    : `${limit.perSecond} requests a second, and ${limit.burst} more at once`

const goals = (row: Row.Row, all: ReadonlyArray<Row.Row>): string => {
  const mine = Goal.of(row, all)
  const missed = mine.filter(({ reached }) => !reached).map(({ what }) => what)
  return mine.length === 0 ? "" : missed.length === 0 ? "reached" : `missed: ${missed.join(", ")}`
}

/** With columns of even width, as formatters write them. */
const markdown = (titles: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = titles.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const one = (cells: ReadonlyArray<string>) =>
    `| ${widths.map((width, i) => (cells[i] ?? "").padEnd(width)).join(" | ")} |`
  return [one(titles), one(widths.map((width) => "-".repeat(width))), ...rows.map(one)].join("\n")
}
