/**
 * Why a 2xx is not a usable answer.
 */
import type * as ProviderError from "../ProviderError.js"

/** What a protocol finds wrong with an answer, and what reading the body finds. */
export type Fault = Refused | Malformed | BrokenOff | Cut | Stalled

/** The server's error, inside the 200. */
export interface Refused {
  readonly _tag: "Refused"
  /** The error as JSON, read as the body of a refusal is. */
  readonly body: string
}

/** Not what the protocol says, or not what the program asked for. */
export interface Malformed extends About {
  readonly _tag: "Malformed"
  /** What is wrong with it. */
  readonly reason: ProviderError.InvalidResponseReason
  /** The beginning of what arrived instead. Empty where the other fields say it better. */
  readonly preview: string
}

/** The model broke off. */
export interface BrokenOff {
  readonly _tag: "BrokenOff"
  /** The value in place of a finish reason. */
  readonly code: string
  /** What the word means. */
  readonly reason: "Overloaded" | "ServerError"
}

/** It ended before it was complete. */
export interface Cut {
  readonly _tag: "Cut"
  /** The system's code for how the connection broke, if it did. */
  readonly code: string | undefined
}

/** Nothing arrived for too long. */
export interface Stalled {
  readonly _tag: "Stalled"
  /** No bytes (`idle`), or bytes but no model output (`stall`). */
  readonly clock: "idle" | "stall"
}

/** What else is known of a complete answer that is still not what was asked for. */
export type About = Partial<
  Pick<ProviderError.InvalidResponse, "mismatch" | "refusal" | "tool" | "finishReason" | "usage">
>

export const malformed = (reason: ProviderError.InvalidResponseReason, preview = "", about: About = {}): Fault => ({
  _tag: "Malformed",
  reason,
  preview,
  ...about
})

export const cut = (code?: string): Fault => ({ _tag: "Cut", code })

export const isFault = (value: Fault | ReadonlyArray<unknown> | string): value is Fault =>
  typeof value === "object" && !Array.isArray(value)
