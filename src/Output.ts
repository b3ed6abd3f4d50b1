/**
 * Answers of a given shape: the JSON Schema that a model is told, and its text decoded.
 */
import * as Effect from "effect/Effect"
import * as JSONSchema from "effect/JSONSchema"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Chat from "./Chat.js"
import * as Fault from "./Fault.js"
import * as Json from "./Json.js"

export const jsonSchema = <A, I, R>(schema: Schema.Schema<A, I, R>): Chat.JsonSchema => {
  const { $schema: _, ...rest } = JSONSchema.make(schema)
  return rest
}

/** The reply's text as a value of the schema: JSON, bare or in a fenced block. */
export const decode =
  <A, I, R>(schema: Schema.Schema<A, I, R>) =>
  ({ text }: Chat.Reply): Effect.Effect<A, Fault.Fault, R> => {
    const json = Json.parseHandedOn(text.trim().replace(/^```\w*\n([\s\S]*)\n```$/, "$1"))
    if (json === undefined) return Effect.fail(Fault.malformed("the answer is not JSON", text))
    return Effect.mapError(Schema.decodeUnknown(schema)(json), (error) =>
      Fault.malformed(`the answer does not fit the schema: ${ParseResult.TreeFormatter.formatErrorSync(error)}`, text)
    )
  }
