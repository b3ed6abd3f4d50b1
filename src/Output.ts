/**
 * Answers of a given shape: the JSON Schema that a model is told, and its text decoded.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Chat from "./Chat.js"
import * as Json from "./Json.js"
import * as Embedded from "./output/Embedded.js"
import * as Mismatch from "./output/Mismatch.js"
import * as Shape from "./output/Shape.js"
import type * as ProviderError from "./ProviderError.js"
import * as Fault from "./refusal/Fault.js"

/** What a model is told of the schema. It throws where no JSON can be of it. */
export const jsonSchema = <A, I, R>(schema: Schema.Schema<A, I, R>): Chat.JsonSchema => {
  const shape = Shape.of(schema)
  if (Shape.isWritable(shape)) return shape.schema
  throw new TypeError(`no JSON can be of this schema${shape.path === "" ? "" : `, at ${shape.path}`}`)
}

/** JSON that a model wrote for `jsonSchema` of the schema, as the schema has it. */
export const restored = <A, I, R>(schema: Schema.Schema<A, I, R>, json: unknown): unknown => {
  const shape = Shape.of(schema)
  return Shape.isWritable(shape) ? Shape.restored(shape, json) : json
}

/**
 * The reply's text as a value of the schema: JSON, bare, in a fenced block, or with words around it. If it is none, the
 * fault says what became of it, which is not always the model's to mend: an answer that the limit of tokens or a filter
 * cut short is no JSON for that reason. `told` is the shape that the model was told, if it was told ours.
 */
export const decode =
  <A, I, R>(schema: Schema.Schema<A, I, R>, told?: Shape.Shape) =>
  (reply: Chat.Reply): Effect.Effect<A, Fault.Fault, R> => {
    const fail = (reason: ProviderError.InvalidResponseReason, about?: Fault.About) =>
      Effect.fail(Fault.malformed(reason, reply.text, { finishReason: reply.rawReason, usage: reply.usage, ...about }))
    if (reply.refusal !== undefined && reply.refusal !== "") return fail("Refused", { refusal: reply.refusal })
    const bare = reply.text.trim().replace(/^```\w*\r?\n([\s\S]*)\r?\n```$/, "$1")
    const whole = Json.parseHandedOn(bare)
    const json = whole === undefined ? Embedded.find(bare) : whole
    if (json === undefined) return fail(cutShort[reply.reason] ?? "NotJson")
    const misfit = (mismatch: string) =>
      reply.reason === "content-filter" ? fail("Filtered") : fail("SchemaMismatch", { mismatch })
    try {
      const value = told === undefined ? json : Shape.restored(told, json)
      return Effect.catchAll(Schema.decodeUnknown(schema)(value), ({ issue }) => misfit(Mismatch.line(issue)))
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
