/** One thing that the demo shows, and what must come of it. */
import { Effect } from "effect"
import type { ProviderError } from "../../src/index.js"
import * as Call from "./Call.js"
import type { Service as Gateway } from "./EmbeddedGateway.js"
import type { Page } from "./Page.js"
import type { Words } from "./Words.js"

export type StepId =
  | "stream"
  | "known-good-401"
  | "never-good-401"
  | "no-key"
  | "auth-budget"
  | "transient-budget"
  | "burst"

type Tag = ProviderError.ProviderError["_tag"]

export interface Step {
  readonly id: StepId
  readonly call: Effect.Effect<unknown, ProviderError.ProviderError>
  readonly expected: Expected
}

export interface Expected {
  readonly outcome: Outcome
  readonly tag?: Tag
  readonly knownGood?: boolean
  /** The fewest and the most requests, as counted by the gateway. */
  readonly requests: readonly [number, number]
}

export type Outcome = "answered" | "failed"

/** What was seen of a step. With `--json`, this is its line. */
export interface Seen {
  readonly step: string
  readonly requests: number
  readonly outcome: Outcome
  readonly tag?: Tag
  readonly message?: string
}

/** What was seen, and whether it was what was expected. */
export interface Result {
  readonly seen: Seen
  readonly passed: boolean
}

export const play = (step: Step, number: number, gateway: Gateway, page: Page, words: Words): Effect.Effect<Result> =>
  Effect.gen(function* () {
    const { intro, title } = words.steps[step.id]
    yield* page.heading(String(number), title)
    yield* page.paragraph(intro, "dim")
    const before = yield* gateway.requests
    const ending = yield* Call.show(step.call, page, words)
    const result = judge(step, ending, (yield* gateway.requests) - before)
    yield* result.passed
      ? page.paragraph(`✓ ${words.passed(result.seen)}`, "green")
      : page.paragraph(`✗ ${words.failed(result.seen, step.expected)}`, "red")
    return result
  })

export const seen = (step: string, requests: number, { error, message }: Call.Ending): Seen => ({
  step,
  requests,
  outcome: error === undefined ? "answered" : "failed",
  ...(error === undefined ? undefined : { tag: error._tag }),
  ...(message === undefined ? undefined : { message })
})

const judge = ({ expected, id }: Step, ending: Call.Ending, requests: number): Result => {
  const { error } = ending
  const [least, most] = expected.requests
  const passed =
    (error === undefined ? "answered" : "failed") === expected.outcome &&
    error?._tag === expected.tag &&
    (error?._tag === "AuthRejected" ? error.knownGood : undefined) === expected.knownGood &&
    (error === undefined || error.attempts === requests) &&
    least <= requests &&
    requests <= most
  return { seen: seen(id, requests, ending), passed }
}
