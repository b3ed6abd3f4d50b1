/**
 * Tools with what runs them, and the conversation in which a model uses them: ask, run the calls, ask again.
 */
import type * as Effect from "effect/Effect"
import type * as Chat from "./Chat.js"
import type * as Tool from "./Tool.js"
import type * as Result from "./toolkit/Result.js"
import * as Runner from "./toolkit/Runner.js"

type Toolkit<A extends Result.Ran, R> = Runner.Toolkit<A, R>

export { before, converse, type Event, type Options, outcome } from "./toolkit/Conversation.js"
export type { Ending, Outcome, Progress, Step } from "./toolkit/Progress.js"
export type { Approval, Failed, Ran, Refused, Result, Returned, UnknownTool } from "./toolkit/Result.js"
export type { HandleOptions, RunOptions, Toolkit } from "./toolkit/Runner.js"

/** Tools that wait for their handlers. */
export interface Tools<T extends Tool.Any> {
  /** The tools. */
  readonly tools: ReadonlyArray<T>
  /**
   * The same tools with a handler for each, by the tool's name: what is called with the decoded arguments. Its value goes
   * to the model, and so does what it fails with; what it needs, the toolkit needs.
   */
  readonly handlers: <const H extends Handlers<T>>(handlers: H & NoOther<H, T>) => Toolkit<RanBy<H>, Needed<H>>
}

/** What runs a call: it is given the arguments, decoded, and the call itself. */
export type Handler<T extends Tool.Any> = (
  args: Tool.Arguments<T>,
  call: Chat.ToolCall
) => Effect.Effect<Tool.Success<T>, unknown, unknown>

/** A handler for each tool, by its name. */
export type Handlers<T extends Tool.Any> = { readonly [One in T as One["name"]]: Handler<One> }

/** No handler for a tool that is not there. Where names are not known before the program runs, `handlers` throws. */
export type NoOther<H, T extends Tool.Any> = string extends keyof H
  ? unknown
  : { readonly [name in Exclude<keyof H, T["name"]>]: never }

/** What the handlers give and fail with. */
export type RanBy<H> = {
  readonly [name in keyof H & string]: H[name] extends (...args: never) => Effect.Effect<infer A, infer E, infer _>
    ? Result.Returned<name, A> | ([E] extends [never] ? never : Result.Failed<name, E>)
    : never
}[keyof H & string]

/** What the handlers need. */
export type Needed<H> = {
  readonly [name in keyof H]: H[name] extends (...args: never) => Effect.Effect<infer _, infer _E, infer R> ? R : never
}[keyof H]

/**
 * Tools, to be given handlers. Throws if two have one name, as `handlers` does if one is missing.
 *
 * @example
 * import { Effect, Schema } from "effect"
 * import { Chat, Tool, Toolkit } from "knowngood"
 *
 * const weather = Tool.make({ name: "weather", parameters: Schema.Struct({ city: Schema.String }) })
 * const roll = Tool.make({ name: "roll", parameters: Schema.Struct({ sides: Schema.Int }), success: Schema.Int })
 *
 * const toolkit = Toolkit.make(weather, roll).handlers({
 *   weather: ({ city }) =>
 *     city === "Atlantis" ? Effect.fail("There is no such city.") : Effect.succeed({ city, celsius: 21 }),
 *   roll: ({ sides }) => Effect.succeed(Math.min(4, sides))
 * })
 *
 * const program = Toolkit.converse({ messages: [Chat.user("Roll a die in Rome.")] }, { toolkit }).pipe(
 *   Toolkit.outcome,
 *   Effect.map(({ reply }) => reply.text)
 * )
 */
export function make<const T extends ReadonlyArray<Tool.Any>>(...tools: T): Tools<T[number]>
// What handlers give is known by their types, name by name; what runs them treats all alike.
export function make(...tools: ReadonlyArray<Tool.Any>): Untyped {
  Runner.unique(tools)
  return { tools, handlers: (handlers) => Runner.handled(tools, handlers) }
}

interface Untyped {
  readonly tools: ReadonlyArray<Tool.Any>
  readonly handlers: <R>(handlers: Runner.AnyHandlers<R>) => Toolkit<Result.Ran, R>
}

/**
 * Several toolkits as one. Throws if two of their tools have one name.
 *
 * @example
 * import { Effect, Schema } from "effect"
 * import { Tool, Toolkit } from "knowngood"
 *
 * const now = Tool.make({ name: "now", parameters: Schema.Struct({}) })
 * const add = Tool.make({ name: "add", parameters: Schema.Struct({ a: Schema.Number, b: Schema.Number }) })
 *
 * const clock = Toolkit.make(now).handlers({ now: () => Effect.clockWith((clock) => clock.currentTimeMillis) })
 * const sums = Toolkit.make(add).handlers({ add: ({ a, b }) => Effect.succeed(a + b) })
 * const toolkit = Toolkit.merge(clock, sums)
 */
export function merge<const T extends ReadonlyArray<Toolkit<Result.Ran, unknown>>>(
  ...toolkits: T
): Toolkit<RanOf<T[number]>, ContextOf<T[number]>>
export function merge<R>(...toolkits: ReadonlyArray<Toolkit<Result.Ran, R>>): Toolkit<Result.Ran, R> {
  return Runner.merged(toolkits)
}

/** What a toolkit's handlers give and fail with. */
export type RanOf<T> = T extends Toolkit<infer A, infer _> ? A : never

/** What a toolkit needs. */
export type ContextOf<T> = T extends Toolkit<infer _, infer R> ? R : never
