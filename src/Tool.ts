/**
 * A tool that a model may call, described by a schema: what the model is told, and how its arguments are decoded.
 */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Chat from "./Chat.js"
import * as Output from "./Output.js"
import * as Mismatch from "./output/Mismatch.js"

/**
 * A tool, and its schemas. It is a `Chat.ToolDefinition`, so it goes into `Request.tools` as it is; `Toolkit.make` puts
 * several together with the functions that run them.
 */
export interface Tool<A, I = A, Name extends string = string, Success = unknown> extends Chat.ToolDefinition {
  /** How the model calls it. */
  readonly name: Name
  /** The schema of the arguments. */
  readonly schema: Schema.Schema<A, I>
  /** The arguments of a call, or why they do not fit. A misfit is the model's mistake, so it is a value and no failure. */
  readonly decode: (call: Chat.ToolCall) => Either.Either<A, Misfit>
  /**
   * What the model is told of a call that went well. Text goes as it is, any other value as JSON; with a schema for it
   * (`success`) as its encoded side. It throws for a value that cannot be written as JSON or does not fit that schema.
   */
  readonly result: (call: Pick<Chat.ToolCall, "id" | "name">, value: Success) => Chat.ToolMessage
}

/**
 * Any tool. A `Tool<A, I>` cannot be widened itself, because a schema is used in both directions; and `result` is a
 * method, so that a tool is one whatever its results are.
 */
export interface Any extends Chat.ToolDefinition {
  /** The arguments of a call, or why they do not fit. */
  readonly decode: (call: Chat.ToolCall) => Either.Either<unknown, Misfit>
  /** What the model is told of a call that went well. */
  result(call: Pick<Chat.ToolCall, "id" | "name">, value: unknown): Chat.ToolMessage
}

/** What a tool is called with: its arguments, decoded. */
export type Arguments<T extends Any> = ReturnType<T["decode"]> extends Either.Either<infer A, Misfit> ? A : never

/** What a tool gives: what its `success` schema says, or any value that can be written as JSON. */
export type Success<T extends Any> = Parameters<T["result"]>[1]

/** Arguments that do not fit the schema. */
export interface Misfit {
  readonly _tag: "Misfit"
  /** The call that they came with. */
  readonly call: Chat.ToolCall
  /** What is wrong, a line for each argument: `days: expected integer, got 1.5`. */
  readonly problem: string
  /** The answer for the model: append it to the history, and the model can mend its call. */
  readonly message: Chat.ToolMessage
}

/** What a tool is made from. */
export interface Options<A, I = A, Name extends string = string, Success = unknown, Encoded = unknown> {
  /** How the model calls it. */
  readonly name: Name
  /** What it does, for the model. Default: the model has to guess from the name. */
  readonly description?: string | undefined
  /** The shape of its arguments. It needs no service, because a model's call is decoded on the spot. */
  readonly parameters: Schema.Schema<A, I>
  /** The shape of its result, which is encoded for the model. Default: text, or any value that JSON has. */
  readonly success?: Schema.Schema<Success, Encoded> | undefined
}

/**
 * A tool from a schema. The model is told its JSON Schema; what the model sends is decoded with it.
 *
 * @example
 * import { Effect, Either, Schema } from "effect"
 * import { Chat, Provider, Tool } from "knowngood"
 *
 * const weather = Tool.make({
 *   name: "get_weather",
 *   description: "The weather in a city, now",
 *   parameters: Schema.Struct({ city: Schema.String })
 * })
 *
 * const program = Effect.gen(function* () {
 *   const question = Chat.user("Rain in Rome?")
 *   const reply = yield* Provider.complete({ messages: [question], tools: [weather] })
 *   const results = reply.toolCalls.map((call) =>
 *     Either.match(weather.decode(call), {
 *       onLeft: ({ message }) => message,
 *       onRight: ({ city }) => weather.result(call, `21 °C in ${city}`)
 *     })
 *   )
 *   return yield* Provider.complete({ messages: [question, reply.message, ...results], tools: [weather] })
 * })
 */
export const make = <A, I, const Name extends string, Success = unknown, Encoded = unknown>(
  options: Options<A, I, Name, Success, Encoded>
): Tool<A, I, Name, Success> => {
  const { description, name, parameters, success } = options
  const decode = Schema.decodeUnknownEither(parameters, { errors: "all", onExcessProperty: "ignore" })
  const encode: (value: Success) => unknown = success === undefined ? (value) => value : Schema.encodeSync(success)
  return {
    name,
    ...(description === undefined ? undefined : { description }),
    schema: parameters,
    parameters: Output.jsonSchema(parameters),
    decode: (call) => {
      try {
        return Either.mapLeft(decode(Output.restored(parameters, call.input)), ({ issue }) =>
          misfit(call, problemOf(issue))
        )
      } catch (cause) {
        if (Output.isTooDeep(cause, call.input)) return Either.left(misfit(call, "nested too deep"))
        throw cause
      }
    },
    result: (call, value) => Chat.toolResult(call, encode(value))
  }
}

const misfit = (call: Chat.ToolCall, problem: string): Misfit => {
  const message = Chat.toolResult(call, `The arguments do not fit:\n${problem}`, { isError: true })
  return { _tag: "Misfit", call, problem, message }
}

/** More than a model mends at once. */
const mostLines = 16

const problemOf = (issue: ParseResult.ParseIssue): string => {
  const all = partsOf(issue)
  const lines = all.slice(0, mostLines).map(Mismatch.line)
  return [...lines, ...(all.length > mostLines ? [`and ${all.length - mostLines} more`] : [])].join("\n")
}

/** The issues of the arguments one by one: the model can mend all of them in its next call. */
const partsOf = (root: ParseResult.ParseIssue): ReadonlyArray<ParseResult.ParseIssue> => {
  let issue = root
  while ((issue._tag === "Transformation" || issue._tag === "Refinement") && issue.issue._tag !== "Type") {
    issue = issue.issue
  }
  // The members of a union are tried one after the other, and only one of them was meant.
  return issue._tag === "Composite" && issue.ast._tag !== "Union" ? [issue.issues].flat() : [root]
}
