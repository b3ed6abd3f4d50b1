/**
 * A small gateway on loopback: a real HTTP server that speaks OpenAI's chat protocol and behaves like MiMo's token
 * plan.
 *
 * It always answers a wrong key with a 401, and a good key with the very same 401 while it is busy. A single answer
 * does not tell which of the two it was.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Duration, Effect, Layer, MutableRef } from "effect"
// A user's program imports this from "knowngood/testing".
import { Gateway } from "../../src/testing/index.js"

/** Made up for this gateway, and of no use anywhere else. It accepts the first two. */
export const keys = {
  session: "tp-s4vWq8Lr2Zk7Xn3Bt9Jc6Hd1Fy",
  neighbour: "tp-s8mPz5Tg1Rb6Qc2Yk9Nw4Vx7Ls",
  wrong: "tp-s2xKf7Dj5Wq1Mh8Zr3Gv6Bp9Tn"
} as const

/**
 * How many calls, of all users together, are admitted within `window`. The others are refused. The neighbour's calls
 * keep their places until somebody has been refused because of them, however slow the machine is.
 */
export const places = 4

/** Shorter than the shortest wait before a retry, so that the gateway has room again by then. */
const window = Duration.millis(450)

/** `Open`: as busy as its callers make it. `Full`: no room for anyone. `Down`: every call gets a 503. */
export type Condition = "Open" | "Full" | "Down"

export interface Service {
  /** The base URL. */
  readonly url: string
  /** How many requests have arrived so far, not counting the neighbour's. */
  readonly requests: Effect.Effect<number>
  /** Keeps the gateway in this condition while the effect runs. */
  readonly during: (condition: Condition) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export class EmbeddedGateway extends Context.Tag("demo/EmbeddedGateway")<EmbeddedGateway, Service>() {}

/** The model's answer to a question. */
export type Model = (question: string) => string

export const layer = (model: Model) =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const condition = MutableRef.make<Condition>("Open")
      return Layer.effect(
        EmbeddedGateway,
        Effect.map(Gateway.Gateway, (gateway) => service(gateway, condition))
      ).pipe(
        Layer.provide(Gateway.serve(script(condition, model))),
        Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
      )
    })
  )

const service = (gateway: Gateway.Service, condition: MutableRef.MutableRef<Condition>): Service => ({
  url: `${gateway.url}/v1`,
  requests: Effect.map(gateway.requests, (all) => all.filter((request) => keyOf(request) !== keys.neighbour).length),
  during: (temporary) => (self) =>
    Effect.acquireUseRelease(
      Effect.sync(() => MutableRef.getAndSet(condition, temporary)),
      () => self,
      (before) => Effect.sync(() => MutableRef.set(condition, before))
    )
})

const script = (condition: MutableRef.MutableRef<Condition>, model: Model): Gateway.Script => {
  const admit = admission()
  return (request) => {
    if (request.method !== "POST" || new URL(request.url).pathname !== "/v1/chat/completions") return notFound
    if (!known.has(keyOf(request))) return refused
    if (MutableRef.get(condition) === "Down") return unavailable
    if (MutableRef.get(condition) === "Full" || !admit(request)) return refused
    return answerTo(request.body, model)
  }
}

const known: ReadonlySet<string | undefined> = new Set([keys.session, keys.neighbour])

const keyOf = (request: Gateway.Recorded): string | undefined => request.headers["api-key"]

/** Whether there is a place for a call. */
const admission = () => {
  let admitted: ReadonlyArray<{ readonly at: number; readonly stays: boolean }> = []
  return (request: Gateway.Recorded): boolean => {
    const { at } = request
    admitted = admitted.filter((earlier) => earlier.stays || at - earlier.at < Duration.toMillis(window))
    const isIn = admitted.length < places
    admitted = isIn
      ? [...admitted, { at, stays: keyOf(request) === keys.neighbour }]
      : admitted.map((earlier) => ({ ...earlier, stays: false }))
    return isIn
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

/** MiMo's own body, for a wrong key and for load alike (recorded). */
const refused = Gateway.status(401, {
  error: { message: "Invalid API Key", param: "Please provide valid API Key", code: "401", type: "invalid_key" }
})

const unavailable = Gateway.status(503, {
  error: { message: "Service temporarily unavailable", code: "503", type: "server_error" }
})

const notFound = Gateway.status(404, { error: { message: "Not Found", code: "404", type: "not_found" } })

const malformed = Gateway.status(400, {
  error: { message: "model and messages are needed", code: "400", type: "invalid_request_error" }
})

const answerTo = (body: unknown, model: Model): Gateway.Answer => {
  const question = questionIn(body)
  if (question === undefined) return malformed
  const tokens = tokensOf(model(question.text))
  return question.stream ? streamed(question.model, tokens) : complete(question.model, tokens)
}

interface Question {
  readonly text: string
  readonly model: string
  readonly stream: boolean
}

const questionIn = (body: unknown): Question | undefined => {
  const { messages, model, stream } = fields(body)
  const text = Array.isArray(messages) ? fields(messages.at(-1))["content"] : undefined
  return typeof text === "string" && typeof model === "string" ? { text, model, stream: stream === true } : undefined
}

const fields = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null ? { ...value } : {}

/** Each word with the space before it and the punctuation after it, as most of a model's tokens are. */
const tokensOf = (text: string): ReadonlyArray<string> => {
  const tokens: Array<string> = []
  let space = ""
  for (const { isWordLike, segment } of new Intl.Segmenter("zh", { granularity: "word" }).segment(text)) {
    if (segment.trim() === "") space += segment
    else if (isWordLike === true || tokens.length === 0) {
      tokens.push(space + segment)
      space = ""
    } else tokens.push((tokens.pop() ?? "") + space + segment)
  }
  return tokens
}

/** At first only keep-alive comments, as from a gateway whose calls wait in a queue, and then a token at a time. */
const streamed = (model: string, tokens: ReadonlyArray<string>): Gateway.Answer =>
  Gateway.paced(
    "35 millis",
    Gateway.sse([
      Gateway.comment("keep-alive"),
      Gateway.comment("keep-alive"),
      chunk(model, { role: "assistant", content: "" }),
      ...tokens.map((content) => chunk(model, { content })),
      chunk(model, {}, { finish_reason: "stop" }),
      { ...chunk(model, {}), choices: [], usage: usage(tokens) },
      "[DONE]"
    ])
  )

const chunk = (model: string, delta: object, choice?: object) => ({
  id: "demo",
  object: "chat.completion.chunk",
  model,
  choices: [{ index: 0, delta, finish_reason: null, ...choice }]
})

const complete = (model: string, tokens: ReadonlyArray<string>): Gateway.Answer =>
  Gateway.json({
    id: "demo",
    object: "chat.completion",
    model,
    choices: [{ index: 0, message: { role: "assistant", content: tokens.join("") }, finish_reason: "stop" }],
    usage: usage(tokens)
  })

const usage = (tokens: ReadonlyArray<string>) => ({
  prompt_tokens: 12,
  completion_tokens: tokens.length,
  total_tokens: 12 + tokens.length
})
