/**
 * The server of a weather: the SDK's testing gateway on a real socket. What it answers depends on the call and on how
 * many requests for it came before.
 */
import { Effect, type Scope } from "effect"
import * as Layer from "effect/Layer"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Loopback from "../Loopback.js"
import type * as Ledger from "./Ledger.js"
import * as Speech from "./Speech.js"

export interface Question {
  readonly call: number
  /** From 1. */
  readonly request: number
  readonly stream: boolean
}

export interface Host {
  /** The base URL. */
  readonly url: string
  readonly seen: Effect.Effect<Ledger.Seen>
}

/** Under this path is another service, not a model. */
export const audit = "/audit"

export const make = (script: (question: Question) => Gateway.Answer): Effect.Effect<Host, never, Scope.Scope> =>
  Effect.gen(function* () {
    const requests = new Map<number, number>()
    let longestAsked = 0
    const answer = ({ body, url }: Gateway.Recorded): Gateway.Answer => {
      // This could be a model's answer, so that it shows if it is taken for one.
      if (url.endsWith(audit)) return Gateway.text(Speech.bodyOf(audited), json)
      const { call, stream } = questionIn(body)
      const request = (requests.get(call) ?? 0) + 1
      requests.set(call, request)
      const answer = script({ call, request, stream })
      longestAsked = Math.max(longestAsked, askedBy(answer))
      return answer
    }
    const context = yield* Effect.orDie(Layer.build(Loopback.serve(answer)))
    const { url } = yield* Effect.provide(Gateway.Gateway, context)
    return { url, seen: Effect.sync(() => ({ requests: new Map(requests), longestAsked })) }
  })

/** No weather makes this call. */
const audited = 999_999

/** In seconds. A wait of more than a minute is not kept: the call fails and says so. */
const askedBy = ({ headers }: Gateway.Answer): number => {
  const asked = Number(headers["retry-after"] ?? Number(headers["retry-after-ms"] ?? 0) / 1000)
  return asked > 60 ? 0 : asked
}

const json = { headers: { "content-type": "application/json" } }

const questionIn = (body: unknown): { readonly call: number; readonly stream: boolean } => {
  const { messages, stream } = body as { messages: ReadonlyArray<{ content: string }>; stream?: boolean }
  return { call: Speech.callOf(messages[0]?.content ?? ""), stream: stream === true }
}

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The right one, all at once. */
export const well = ({ call, stream }: Question): Gateway.Answer =>
  stream
    ? { status: 200, headers: { "content-type": "text/event-stream" }, body: [bytes(Speech.framesOf(call).join(""))] }
    : Gateway.text(Speech.bodyOf(call), json)

/** The right one. A stream arrives event by event, this many milliseconds apart. */
export const spoken = (question: Question, millis: number): Gateway.Answer =>
  question.stream
    ? {
        status: 200,
        headers: { "content-type": "text/event-stream" },
        body: Speech.framesOf(question.call).flatMap((frame) => [{ wait: millis }, bytes(frame)])
      }
    : well(question)

/** MiMo's 401. */
export const unauthorized: Gateway.Answer = Gateway.status(401, {
  error: { message: "Invalid API Key", code: "401", type: "invalid_key" }
})

/** In seconds. */
export const tooMany = (retryAfter: number): Gateway.Answer =>
  Gateway.status(429, { error: { message: "slow down" } }, { "retry-after": String(retryAfter) })
