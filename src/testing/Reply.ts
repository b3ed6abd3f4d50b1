/**
 * Answers that say what a model or a server says, in the words of the wire that asks: one script serves OpenAI's chat
 * completions and Responses and Anthropic's messages, streamed and whole.
 */
import * as Duration from "effect/Duration"
import * as Answer from "./Answer.js"
import { anthropicMessages } from "./AnthropicMessagesWriter.js"
import { openAiChat } from "./OpenAiChatWriter.js"
import { openAiResponses } from "./OpenAiResponsesWriter.js"
import type { Recorded } from "./Recorded.js"
import { type End, type Event, type Said, said } from "./Said.js"
import { type Asked, pathOf, type Refusal, type Words, type Writer } from "./Writer.js"

/** Every wire that a script can answer. The last is the one of whoever speaks no other. */
const writers: ReadonlyArray<Writer> = [anthropicMessages, openAiResponses, openAiChat]

/** What may be said of a reply. Everything has a default. */
export interface ReplyOptions extends End {
  /** What the model thinks before it speaks. */
  readonly reasoning?: string | undefined
  /** Headers of the answer, in addition to its content type. */
  readonly headers?: Answer.Answer["headers"] | undefined
}

/** What may be said of a tool call's answer. Everything has a default. */
export interface ToolCallOptions extends ReplyOptions {
  /** The id of the call. Default: one that no other call of the script has. */
  readonly callId?: string | undefined
}

/** What may be said of a refusal. Everything has a default: what such a server says with such a status. */
export interface RefusalOptions {
  /** The server's reason. */
  readonly message?: string | undefined
  /** The server's own code: OpenAI's `code`, Anthropic's `type`. */
  readonly code?: string | undefined
  /** Headers of the answer, in addition to its content type. */
  readonly headers?: Answer.Answer["headers"] | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// What a model says
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The model answers with this text, in one piece.
 *
 * @example
 * import { Gateway } from "knowngood/testing"
 *
 * const script = [
 *   Gateway.reply("Hello"),
 *   Gateway.reply("Hel", { reason: "length", reasoning: "A greeting.", usage: { inputTokens: 900, outputTokens: 1 } })
 * ]
 */
export const reply = (text: string, options?: ReplyOptions): Answer.AnswerTo => replies([text], options)

/**
 * The model answers with these events, a chunk each: texts, and whatever a `Chat.Event` can be. A `Finish` is added if
 * there is none.
 *
 * @example
 * import { Gateway } from "knowngood/testing"
 *
 * const script = [
 *   Gateway.replies([
 *     { _tag: "ReasoningDelta", text: "Two cities." },
 *     "Let me ",
 *     "see.",
 *     { _tag: "ToolCall", name: "get_weather", input: { city: "Rome" } },
 *     { _tag: "ToolCall", name: "get_weather", input: { city: "Oslo" } }
 *   ]),
 *   Gateway.reply("Both are dry.")
 * ]
 */
export const replies = (events: Iterable<Event>, options?: ReplyOptions): Answer.AnswerTo => {
  const { headers, ...rest } = options ?? {}
  const whole = said(events, rest)
  return written({
    stream: (writer, asked) => {
      const { end, events } = writer.stream(whole, asked)
      return Answer.sse([...events, ...end], { headers })
    },
    whole: (writer, asked) => inOnePiece(writer, whole, asked, headers)
  })
}

/** The model calls this tool, and says nothing else. */
export const toolCall = (name: string, input: unknown, options?: ToolCallOptions): Answer.AnswerTo => {
  const { callId, ...rest } = options ?? {}
  return replies([{ _tag: "ToolCall", id: callId, name, input }], rest)
}

/** What a client is told that asks for the list of models. */
export const models = (ids: ReadonlyArray<string>): Answer.AnswerTo => {
  const list = [...ids]
  return (request) =>
    request.method === "GET" && pathOf(request).endsWith("/models")
      ? Answer.json(clientsWire(request).models(list))
      : unwritable(request, "a list of models")
}

// ---------------------------------------------------------------------------------------------------------------------
// What goes wrong
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The server refuses with this status, whatever it was asked.
 *
 * @example
 * import { Gateway } from "knowngood/testing"
 *
 * const script = [Gateway.refused(401), Gateway.refused(400, { message: "No such voice.", code: "bad_voice" })]
 */
export const refused =
  (status: number, options?: RefusalOptions): Answer.AnswerTo =>
  (request) => {
    const wire = clientsWire(request)
    return refusal(wire, refusalOf(wire, status, options), options?.headers)
  }

/** Too many requests: 429. With a wait, the server asks to come back after it, to the millisecond. */
export const rateLimited = (after?: Duration.DurationInput, options?: RefusalOptions): Answer.AnswerTo =>
  refused(429, { ...options, headers: { ...retryAfter(after), ...options?.headers } })

/** No room for anybody: 503, or Anthropic's 529. With a wait, the server asks to come back after it. */
export const overloaded =
  (after?: Duration.DurationInput, options?: RefusalOptions): Answer.AnswerTo =>
  (request) =>
    refused(clientsWire(request).overloaded, { ...options, headers: { ...retryAfter(after), ...options?.headers } })

/** The account has nothing left: OpenAI says so with a 429, Anthropic with a 400. */
export const outOfCredit: Answer.AnswerTo = (request) => {
  const wire = clientsWire(request)
  return refusal(wire, wire.outOfCredit)
}

/**
 * The model begins with these events, and then the connection breaks. An answer that is not streamed breaks off before
 * its last byte.
 *
 * @example
 * import { Gateway } from "knowngood/testing"
 *
 * const script = [Gateway.dropAfter(["Hel"]), Gateway.dropAfter([])]
 */
export const dropAfter = (events: Iterable<Event>, options?: ReplyOptions): Answer.AnswerTo =>
  cutAfter(events, options, Answer.drop)

/**
 * The model begins with these events, and then nothing more comes, though the connection stays open. An answer that is
 * not streamed lacks its last byte.
 */
export const stallAfter = (events: Iterable<Event>, options?: ReplyOptions): Answer.AnswerTo =>
  cutAfter(events, options, Answer.stall)

/**
 * The model begins with these events, and then the server says that it failed: an error inside of a 200. The status is
 * the one that the same error has by itself, by default that of a server without room. An answer that is not streamed
 * has no middle, so it is refused with that status.
 */
export const failAfter = (events: Iterable<Event>, status?: number, options?: RefusalOptions): Answer.AnswerTo => {
  const begun = said(events)
  const what = (writer: Writer) => refusalOf(writer, status ?? writer.overloaded, options)
  return written({
    stream: (writer, asked) =>
      Answer.sse([...writer.stream(begun, asked).events, writer.refusalEvent(what(writer))], {
        headers: options?.headers
      }),
    whole: (writer) => refusal(writer, what(writer), options?.headers)
  })
}

type Cut = (afterBytes: number, answer: Answer.Answer) => Answer.Answer

const cutAfter = (events: Iterable<Event>, options: ReplyOptions | undefined, cut: Cut): Answer.AnswerTo => {
  const { headers, ...rest } = options ?? {}
  const begun = said(events, rest)
  return written({
    stream: (writer, asked) =>
      cut(Number.POSITIVE_INFINITY, Answer.sse(writer.stream(begun, asked).events, { headers })),
    whole: (writer, asked) => {
      const answer = inOnePiece(writer, begun, asked, headers)
      return answer.status === 200 ? cut(bytesOf(answer) - 1, answer) : answer
    }
  })
}

const bytesOf = ({ body }: Answer.Answer): number =>
  body.reduce((sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : 0), 0)

// ---------------------------------------------------------------------------------------------------------------------
// What is asked
// ---------------------------------------------------------------------------------------------------------------------

/** How each wire writes an answer, as a stream and in one piece. */
interface Ways {
  readonly stream: (writer: Writer, asked: Asked) => Answer.Answer
  readonly whole: (writer: Writer, asked: Asked) => Answer.Answer
}

const written =
  (ways: Ways): Answer.AnswerTo =>
  (request, index) => {
    const writer = writers.find((writer) => writer.answers(request))
    if (writer === undefined) return unwritable(request, "what a model says")
    const body = fields(request.body)
    const asked: Asked = {
      model: typeof body["model"] === "string" ? body["model"] : "unnamed",
      number: index + 1,
      usage: fields(body["stream_options"])["include_usage"] === true
    }
    return body["stream"] === true ? ways.stream(writer, asked) : ways.whole(writer, asked)
  }

const fields = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null ? { ...value } : {}

const clientsWire = (request: Recorded): Writer => writers.find((writer) => writer.speaks(request)) ?? openAiChat

const inOnePiece = (
  writer: Writer,
  said: Said,
  asked: Asked,
  headers: Answer.Answer["headers"] | undefined
): Answer.Answer => {
  const whole = writer.whole(said, asked)
  return typeof whole === "string" ? mistake(whole) : Answer.json(whole, { headers })
}

const refusal = (writer: Writer, refusal: Refusal, headers?: Answer.Answer["headers"]): Answer.Answer =>
  Answer.json(writer.refusal(refusal), { status: refusal.status, headers })

const refusalOf = (writer: Writer, status: number, options: Partial<Words> | RefusalOptions | undefined): Refusal => {
  const words = writer.words(status)
  return { status, message: options?.message ?? words.message, code: options?.code ?? words.code }
}

/** Whole seconds, as HTTP has them, and beside them milliseconds where there are such, as OpenAI and Azure send them. */
const retryAfter = (after: Duration.DurationInput | undefined): Answer.Answer["headers"] => {
  if (after === undefined) return {}
  const millis = Duration.toMillis(after)
  const seconds = { "retry-after": String(Math.ceil(millis / 1000)) }
  return millis % 1000 === 0 ? seconds : { ...seconds, "retry-after-ms": String(millis) }
}

const unwritable = (request: Recorded, what: string): Answer.Answer =>
  mistake(`the script says ${what}, which is no answer to ${request.method} ${pathOf(request)}`)

/** Not retried, so that a test fails at once and shows why. */
const mistake = (message: string): Answer.Answer =>
  Answer.status(500, { error: { message } }, { "x-should-retry": "false" })
