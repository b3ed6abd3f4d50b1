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

/** An object at its root wherever the schema describes one, because OpenAI takes no other. */
export const jsonSchema = <A, I, R>(schema: Schema.Schema<A, I, R>): Chat.JsonSchema => {
  const { $schema: _, ...root } = Json.record(JSONSchema.make(schema)) ?? {}
  // A struct without fields is "any object or array" to Effect.
  if (root["$id"] === "/schemas/%7B%7D") return { type: "object", properties: {}, additionalProperties: false }
  const name = /^#\/\$defs\/(.+)$/.exec(Json.string(root["$ref"]) ?? "")?.[1]
  if (name === undefined) return root
  const { $ref: __, ...rest } = root
  return { ...rest, ...Json.record(Json.record(root["$defs"])?.[decodeURIComponent(name)]) }
}

/** The reply's text as a value of the schema: JSON, bare or in a fenced block. */
export const decode =
  <A, I, R>(schema: Schema.Schema<A, I, R>) =>
  ({ text }: Chat.Reply): Effect.Effect<A, Fault.Fault, R> => {
    const json = Json.parseHandedOn(text.trim().replace(/^```\w*\r?\n([\s\S]*)\r?\n```$/, "$1"))
    if (json === undefined) return Effect.fail(Fault.malformed("NotJson", text))
    return Effect.mapError(Schema.decodeUnknown(schema)(json), (error) =>
      Fault.malformed("SchemaMismatch", text, { mismatch: mismatch(error) })
    )
  }

/** The first place that does not fit, as one line. */
const mismatch = (error: ParseResult.ParseError): string => {
  const [first] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return first === undefined ? "" : [first.path.join("."), first.message].filter((part) => part !== "").join(": ")
}
