/**
 * How a wire is written. Each wire has a writer, which stands in the list of `Reply`.
 */
import type { Recorded } from "./Recorded.js"
import type { Said } from "./Said.js"

/** One wire, as a server writes it. */
export interface Writer {
  /** Whether a request asks this wire for an answer. */
  readonly answers: (request: Recorded) => boolean
  /** Whether a request comes from a client of this wire, whatever it asks for. */
  readonly speaks: (request: Recorded) => boolean
  /** The server-sent events of an answer. */
  readonly stream: (said: Said, asked: Asked) => Streamed
  /** An answer in one piece, as JSON; a text says why the wire has no words for it. */
  readonly whole: (said: Said, asked: Asked) => object | string
  /** A refusal as a body. */
  readonly refusal: (refusal: Refusal) => object
  /** A refusal in the middle of a stream, as a server-sent event. */
  readonly refusalEvent: (refusal: Refusal) => unknown
  /** A list of models as a body. */
  readonly models: (ids: ReadonlyArray<string>) => object
  /** What the server says when it refuses with this status, and when there is no credit left. */
  readonly words: (status: number) => Words
  /** How the server says that there is no credit left. */
  readonly outOfCredit: Refusal
  /** The status of a server that has no room for anybody. */
  readonly overloaded: number
}

/** Server-sent events, as `sse` takes them: what comes before the end, and the end. */
export interface Streamed {
  readonly events: ReadonlyArray<unknown>
  readonly end: ReadonlyArray<unknown>
}

/** What an answer takes from the request. */
export interface Asked {
  readonly model: string
  /** Counts the requests, from 1. */
  readonly number: number
  /** Whether the usage of a stream is asked for. */
  readonly usage: boolean
}

/** What a server says when it refuses. */
export interface Words {
  readonly message: string
  readonly code: string
}

/** A refusal: its status, and what the server says. */
export interface Refusal extends Words {
  readonly status: number
}

/** The id of a call: its own, or one that no other call of the script has. */
export const callId = (call: { readonly id: string | undefined; readonly place: number }, asked: Asked): string =>
  call.id ?? `call_${asked.number}_${call.place + 1}`

/** The path that a request asks for. */
export const pathOf = ({ url }: Recorded): string => new URL(url, "http://gateway.test").pathname
