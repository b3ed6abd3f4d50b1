/**
 * Answers of a given shape: the JSON Schema that a model is told, and its text decoded.
 */
import * as Effect from "effect/Effect"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import type * as Chat from "./Chat.js"
import * as Json from "./Json.js"
import * as Mismatch from "./output/Mismatch.js"
import type * as ProviderError from "./ProviderError.js"
import * as Fault from "./refusal/Fault.js"

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

/**
 * The reply's text as a value of the schema: JSON, bare or in a fenced block. If it is none, the fault says what became
 * of it, which is not always the model's to mend: an answer that the limit of tokens or a filter cut short is no JSON
 * for that reason.
 */
export const decode =
  <A, I, R>(schema: Schema.Schema<A, I, R>) =>
  (reply: Chat.Reply): Effect.Effect<A, Fault.Fault, R> => {
    const fail = (reason: ProviderError.InvalidResponseReason, about?: Fault.About) =>
      Effect.fail(Fault.malformed(reason, reply.text, { finishReason: reply.rawReason, usage: reply.usage, ...about }))
    if (reply.refusal !== undefined && reply.refusal !== "") return fail("Refused", { refusal: reply.refusal })
    const json = Json.parseHandedOn(reply.text.trim().replace(/^```\w*\r?\n([\s\S]*)\r?\n```$/, "$1"))
    if (json === undefined) return fail(cutShort[reply.reason] ?? "NotJson")
    const misfit = (mismatch: string) =>
      reply.reason === "content-filter" ? fail("Filtered") : fail("SchemaMismatch", { mismatch })
    try {
      return Effect.catchAll(Schema.decodeUnknown(schema)(json), ({ issue }) => misfit(Mismatch.line(issue)))
    } catch (cause) {
      // A schema that contains itself follows the value to its depth, and the stack has an end.
      if (isTooDeep(cause, json)) return misfit("nested too deep")
      throw cause
    }
  }

/** Whether decoding failed because the stack ended, and the value is to blame. */
export const isTooDeep = (cause: unknown, json: unknown): boolean => cause instanceof RangeError && isDeep(json)

/** Deeper than any answer that was meant. */
const isDeep = (json: unknown): boolean => {
  let level = [json]
  for (let depth = 0; depth < 256; depth++) {
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []))
    if (level.length === 0) return false
  }
  return true
}

/** Why an answer ends before its JSON does. */
const cutShort: { readonly [reason in Chat.FinishReason]?: ProviderError.InvalidResponseReason } = {
  length: "Truncated",
  "content-filter": "Filtered"
}
