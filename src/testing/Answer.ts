/**
 * The answers of a scripted gateway.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Recorded } from "./Recorded.js"

/** One scripted answer. The functions below make them. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number
  /** The response headers. */
  readonly headers: { readonly [name: string]: string }
  /** What is sent as the body, in order. */
  readonly body: ReadonlyArray<Piece>
  /** The headers are sent after this long, or once this effect is done. */
  readonly after?: Duration.DurationInput | Effect.Effect<void> | undefined
  /** The connection breaks before any header. */
  readonly unreachable?: true | undefined
}

/**
 * A chunk of the body, a wait before the next, or the end: the connection breaks (`drop`), or nothing more comes
 * (`stall`).
 */
export type Piece = Uint8Array | { readonly wait: Duration.DurationInput } | "drop" | "stall"

/**
 * An answer that depends on the request and on its number, from 0. `reply` and its like are such: they write the wire
 * that the request asks for.
 */
export type AnswerTo = (request: Recorded, index: number) => Scripted

/** What a script is made of. */
export type Scripted = Answer | AnswerTo

/** The status and headers of an answer. */
export interface AnswerOptions {
  /** The HTTP status. Default 200. */
  readonly status?: number | undefined
  /** Headers in addition to the content type, or in place of it. */
  readonly headers?: { readonly [name: string]: string } | undefined
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** An answer with this status. A string is sent as text, anything else as JSON. */
export const status = (status: number, body: unknown = "", headers: Answer["headers"] = {}): Answer =>
  typeof body === "string" ? text(body, { status, headers }) : json(body, { status, headers })

/** The value as JSON. */
export const json = (value: unknown, options?: AnswerOptions): Answer =>
  text(JSON.stringify(value), { ...options, headers: { "content-type": "application/json", ...options?.headers } })

/** The text, as `text/plain`. */
export const text = (body: string, options?: AnswerOptions): Answer => ({
  status: options?.status ?? 200,
  headers: { "content-type": "text/plain", ...options?.headers },
  body: body === "" ? [] : [bytes(body)]
})

/**
 * Server-sent events, one chunk each. A string is the data as it stands, anything else is sent as JSON, and `named` and
 * `comment` make the other kinds of line.
 */
export const sse = (events: ReadonlyArray<unknown>, options?: AnswerOptions): Answer => ({
  status: options?.status ?? 200,
  headers: { "content-type": "text/event-stream", ...options?.headers },
  body: events.map((event) => bytes(event instanceof Framed ? event.frame : frame(event)))
})

/** An event with a name, for `sse`. */
export const named = (name: string, data: unknown): unknown => new Framed(`event: ${name}\n${frame(data)}`)

/** A comment, for `sse`: it keeps a connection alive and is no event. */
export const comment = (text: string): unknown => new Framed(`: ${text}\n\n`)

/** What is sent as it is. */
class Framed {
  constructor(readonly frame: string) {}
}

const frame = (data: unknown): string => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** The same answer, but the connection breaks after this many bytes of the body. */
export function drop(afterBytes: number, answer: Answer): Answer
export function drop(afterBytes: number, answer: Scripted): Scripted
export function drop(afterBytes: number, answer: Scripted): Scripted {
  return changed(answer, (answer) => ({ ...answer, body: [...head(answer, afterBytes), "drop"] }))
}

/** The same answer, but nothing more comes after this many bytes of the body, and the connection stays open. */
export function stall(afterBytes: number, answer: Answer): Answer
export function stall(afterBytes: number, answer: Scripted): Scripted
export function stall(afterBytes: number, answer: Scripted): Scripted {
  return changed(answer, (answer) => ({ ...answer, body: [...head(answer, afterBytes), "stall"] }))
}

/**
 * The same answer, but the headers come after this long, or once this effect is done: a test can hold an answer back
 * until something else has happened.
 */
export function delay(after: Duration.DurationInput | Effect.Effect<void>, answer: Answer): Answer
export function delay(after: Duration.DurationInput | Effect.Effect<void>, answer: Scripted): Scripted
export function delay(after: Duration.DurationInput | Effect.Effect<void>, answer: Scripted): Scripted {
  return changed(answer, (answer) => ({ ...answer, after }))
}

/** The same answer, with a wait before every chunk of the body. */
export function paced(wait: Duration.DurationInput, answer: Answer): Answer
export function paced(wait: Duration.DurationInput, answer: Scripted): Scripted
export function paced(wait: Duration.DurationInput, answer: Scripted): Scripted {
  return changed(answer, (answer) => ({ ...answer, body: answer.body.flatMap((piece) => [{ wait }, piece]) }))
}

/** Changes an answer, or the one that the request will get. */
const changed = (answer: Scripted, change: (answer: Answer) => Answer): Scripted =>
  typeof answer === "function" ? (request, index) => changed(answer(request, index), change) : change(answer)

/** No answer: the connection breaks before any header. */
export const unreachable: Answer = { status: 599, headers: {}, body: [], unreachable: true }

/** The body up to this many bytes, with the waits in it. */
const head = (answer: Answer, count: number): ReadonlyArray<Piece> => {
  let left = count
  const kept: Array<Piece> = []
  for (const piece of answer.body) {
    if (left === 0) break
    if (!(piece instanceof Uint8Array)) {
      kept.push(piece)
      continue
    }
    kept.push(piece.subarray(0, left))
    left -= Math.min(left, piece.length)
  }
  return kept
}
