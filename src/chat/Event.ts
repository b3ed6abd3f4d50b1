/**
 * What arrives of an answer, piece by piece.
 */
import type { Replay, ToolCall } from "./Message.js"

/** A piece of an answer, in the order in which the model made it. Every answer ends with `Finish`. */
export type Event =
  /** A piece of the text that the model writes for the reader. */
  | { readonly _tag: "TextDelta"; readonly text: string }
  /** A piece of the model's thinking. */
  | { readonly _tag: "ReasoningDelta"; readonly text: string }
  /** A piece of a tool call's arguments, as text to show. `ToolCall` follows when they are complete. */
  | { readonly _tag: "ToolCallDelta"; readonly id: string; readonly name: string; readonly delta: string }
  /** A complete tool call. One that was cut off is never emitted. */
  | ({ readonly _tag: "ToolCall" } & ToolCall)
  | Finish

/** The end of an answer, and what is known about all of it. */
export interface Finish {
  readonly _tag: "Finish"
  /** Why the model stopped. */
  readonly reason: FinishReason
  /** The provider's own word for `reason`. */
  readonly rawReason: string
  /** What the answer cost. */
  readonly usage: Usage
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined
  /** The answer's id. */
  readonly id: string | undefined
  /** What the model said instead of an answer, or why it was stopped, where the wire keeps that apart from the text. */
  readonly refusal?: string | undefined
  /** What must be sent back with the answer. */
  readonly replay?: Replay | undefined
}

/** Why the model stopped. `pause`: it wants to be called again with what it said so far. */
export type FinishReason = "stop" | "length" | "tool-calls" | "content-filter" | "pause" | "other"

/** Tokens. A count is `undefined` where the wire did not say. */
export interface Usage {
  /** Tokens of the request, the cached ones included on every wire. */
  readonly inputTokens: number | undefined
  /** Tokens of the answer. Most wires include `reasoningTokens`. */
  readonly outputTokens: number | undefined
  /** Both together, as the provider counts. */
  readonly totalTokens: number | undefined
  /** The part of `inputTokens` that came from the provider's cache. */
  readonly cachedInputTokens: number | undefined
  /** Tokens that the model spent on thinking. */
  readonly reasoningTokens: number | undefined
}

/** The usage of an answer that says nothing about it. */
export const unknownUsage: Usage = {
  inputTokens: undefined,
  outputTokens: undefined,
  totalTokens: undefined,
  cachedInputTokens: undefined,
  reasoningTokens: undefined
}
