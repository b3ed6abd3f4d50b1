/**
 * What a scripted gateway answers.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/** One scripted answer. */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: ReadonlyArray<Piece>
  /** Waited for before the headers are sent: so long, or until this is done. */
  readonly after?: Duration.DurationInput | Effect.Effect<void> | undefined
  /** The connection breaks before any header. */
  readonly unreachable?: true | undefined
}

/** Bytes, a wait, or an end of the connection. */
export type Piece = Uint8Array | { readonly wait: Duration.DurationInput } | "drop" | "stall"

export interface AnswerOptions {
  readonly status?: number | undefined
  readonly headers?: { readonly [name: string]: string } | undefined
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Any status, with a body that is text as it is and anything else as JSON. */
export const status = (status: number, body: unknown = "", headers: Answer["headers"] = {}): Answer =>
  typeof body === "string" ? text(body, { status, headers }) : json(body, { status, headers })

export const json = (value: unknown, options?: AnswerOptions): Answer =>
  text(JSON.stringify(value), { ...options, headers: { "content-type": "application/json", ...options?.headers } })

export const text = (body: string, options?: AnswerOptions): Answer => ({
  status: options?.status ?? 200,
  headers: { "content-type": "text/plain", ...options?.headers },
  body: body === "" ? [] : [bytes(body)]
})

/** Server-sent events, one chunk each: a string is the data as it is, anything else is JSON. */
export const sse = (events: ReadonlyArray<unknown>, options?: AnswerOptions): Answer => ({
  status: options?.status ?? 200,
  headers: { "content-type": "text/event-stream", ...options?.headers },
  body: events.map((event) => bytes(event instanceof Named ? event.wire : frame(event)))
})

/** An event with a name, for `sse`. */
export const named = (name: string, data: unknown): unknown => new Named(`event: ${name}\n${frame(data)}`)

/** A keep-alive comment, for `sse`. */
export const comment = (text: string): unknown => new Named(`: ${text}\n\n`)

class Named {
  constructor(readonly wire: string) {}
}

const frame = (data: unknown): string => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** The connection breaks after this many bytes of the body. */
export const drop = (afterBytes: number, answer: Answer): Answer => ({
  ...answer,
  body: [...head(answer, afterBytes), "drop"]
})

/** Nothing more comes after this many bytes of the body, and the connection stays open. */
export const stall = (afterBytes: number, answer: Answer): Answer => ({
  ...answer,
  body: [...head(answer, afterBytes), "stall"]
})

/** No header comes before this long, or before this is done: a test can hold an answer back until something happened. */
export const delay = (after: Duration.DurationInput | Effect.Effect<void>, answer: Answer): Answer => ({
  ...answer,
  after
})

/** A wait before every chunk of the body. */
export const paced = (wait: Duration.DurationInput, answer: Answer): Answer => ({
  ...answer,
  body: answer.body.flatMap((piece) => [{ wait }, piece])
})

/** The connection breaks before any header. */
export const unreachable: Answer = { status: 599, headers: {}, body: [], unreachable: true }

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
