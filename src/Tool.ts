/**
 * A tool that a model may call, described by a schema: what the model is told, and how its arguments are decoded.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Chat from "./Chat.js"
import * as Output from "./Output.js"

/** A tool, and its schema. It is a `Chat.ToolDefinition`, so it goes into `Request.tools` as it is. */
export interface Tool<A, I = A> extends Chat.ToolDefinition {
  /** The schema of the arguments. */
  readonly schema: Schema.Schema<A, I>
  /** The arguments of a call, or why they do not fit. A misfit is the model's mistake, so it is a value and no failure. */
  readonly decode: (call: Chat.ToolCall) => Either.Either<A, Misfit>
}

/** Arguments that do not fit the schema. */
export interface Misfit {
  readonly _tag: "Misfit"
  /** The call that they came with. */
  readonly call: Chat.ToolCall
  /** What is wrong, path by path. */
  readonly problem: string
  /** The answer for the model: append it to the history, and the model can mend its call. */
  readonly message: Chat.ToolMessage
}

/** What a tool is made from. */
export interface Options<A, I = A> {
  /** How the model calls it. */
  readonly name: string
  /** What it does, for the model. Default: the model has to guess from the name. */
  readonly description?: string | undefined
  /** The shape of its arguments. It needs no service, because a model's call is decoded on the spot. */
  readonly parameters: Schema.Schema<A, I>
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
 *       onRight: ({ city }) => Chat.toolResult(call, `21 °C in ${city}`)
 *     })
 *   )
 *   return yield* Provider.complete({ messages: [question, reply.message, ...results], tools: [weather] })
 * })
 */
export const make = <A, I>(options: Options<A, I>): Tool<A, I> => {
  const decode = Schema.decodeUnknownEither(options.parameters, { errors: "all", onExcessProperty: "ignore" })
  return {
    name: options.name,
    ...(options.description === undefined ? undefined : { description: options.description }),
    schema: options.parameters,
    parameters: Output.jsonSchema(options.parameters),
    decode: (call) => Either.mapLeft(decode(call.input), (error) => misfit(call, error))
  }
}

const misfit = (call: Chat.ToolCall, error: ParseResult.ParseError): Misfit => {
  const problem = ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("\n")
  const message = Chat.toolResult(call, `The arguments do not fit:\n${problem}`, { isError: true })
  return { _tag: "Misfit", call, problem, message }
}
