/**
 * What became of a tool call. Whatever became of it, there is a message for the model.
 */
import * as Predicate from "effect/Predicate"
import * as Chat from "../Chat.js"
import * as Json from "../Json.js"
import type { Misfit } from "../Tool.js"

/** What became of a call: its handler's own result (`A`), or why no handler ran. Every one has its `message`. */
export type Result<A extends Ran = Ran> = A | Misfit | UnknownTool | Refused

/** A handler ran to its end. */
export type Ran = Returned<string, unknown> | Failed<string, unknown>

/** A handler gave a value. */
export interface Returned<out Name extends string, out A> {
  readonly _tag: "Returned"
  /** The tool. */
  readonly name: Name
  /** The call that it answers. */
  readonly call: Chat.ToolCall
  /** What the handler gave. */
  readonly value: A
  /** The same for the model. */
  readonly message: Chat.ToolMessage
}

/** A handler failed with an error of its own. */
export interface Failed<out Name extends string, out E> {
  readonly _tag: "Failed"
  /** The tool. */
  readonly name: Name
  /** The call that it answers. */
  readonly call: Chat.ToolCall
  /** What the handler failed with. */
  readonly error: E
  /** The same for the model: a text as it is, the `message` of an error, anything else as JSON. */
  readonly message: Chat.ToolMessage
}

/** The model called a tool that is not there. */
export interface UnknownTool {
  readonly _tag: "UnknownTool"
  /** The call. */
  readonly call: Chat.ToolCall
  /** Tells the model which tools there are. */
  readonly message: Chat.ToolMessage
}

/** The call was not run, because the program did not approve it, or because a filter stopped the answer it came with. */
export interface Refused {
  readonly _tag: "Refused"
  /** The call. */
  readonly call: Chat.ToolCall
  /** Tells the model that the call was not run, and why. */
  readonly message: Chat.ToolMessage
}

/** What a program says to a call that it is asked about: `refuse` is told to the model. */
export type Approval = boolean | { readonly refuse: string }

/** @internal */
export const failed = (call: Chat.ToolCall, error: unknown): Failed<string, unknown> => ({
  _tag: "Failed",
  name: call.name,
  call,
  error,
  message: wrong(call, wordsOf(error))
})

/** More names than that are no help. */
const mostNames = 32

/** @internal */
export const unknownTool = (call: Chat.ToolCall, tools: ReadonlyArray<{ readonly name: string }>): UnknownTool => {
  const names = tools.slice(0, mostNames).map(({ name }) => name)
  const there = `There are: ${names.join(", ")}${tools.length > mostNames ? ", …" : "."}`
  return {
    _tag: "UnknownTool",
    call,
    message: wrong(call, tools.length === 0 ? "There are no tools." : `There is no tool of this name. ${there}`)
  }
}

/** @internal */
export const refused = (call: Chat.ToolCall, approval: Exclude<Approval, true>): Refused => ({
  _tag: "Refused",
  call,
  message: wrong(call, approval === false ? "The call was refused, and was not run." : approval.refuse)
})

/** @internal */
export const filtered = (call: Chat.ToolCall): Refused =>
  refused(call, { refuse: "The call was not run, because a filter stopped the answer." })

/** For a call whose handler may have begun and has not ended. @internal */
export const interrupted = (call: Chat.ToolCall): Chat.ToolMessage =>
  wrong(call, "The call was interrupted. It is not known whether it took effect.")

const wrong = (call: Chat.ToolCall, words: string): Chat.ToolMessage => Chat.toolResult(call, words, { isError: true })

/** An error's message is written to be read; the rest of the error is the program's. */
const wordsOf = (error: unknown): string => {
  if (typeof error === "string" && error !== "") return error
  if (Predicate.hasProperty(error, "message") && typeof error.message === "string" && error.message !== "") {
    return error.message
  }
  const json = Predicate.isNullable(error) || error === "" ? undefined : Json.stringify(error)
  if (json !== undefined && json !== "{}") return json
  return error instanceof Error ? `The tool failed: ${error.name}` : "The tool failed."
}
