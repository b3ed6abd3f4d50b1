/**
 * The shape of an answer: what a model is told of a schema, and what it answers read back.
 *
 * Hosts demand an object at the root, so any other value is asked for as the only field of one.
 */
import * as JSONSchema from "effect/JSONSchema"
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import type * as Chat from "../Chat.js"
import * as Json from "../Json.js"
import * as Subset from "../protocol/Subset.js"

/** A schema as a model is told it. */
export interface Shape {
  /** JSON Schema 2020-12 of the encoded side, an object at its root. */
  readonly schema: Chat.JsonSchema
  /** The value is the only field of the object. */
  readonly isWrapped: boolean
}

/** A part of a schema that no JSON can have: `undefined`, a bigint, a symbol, a type without a description. */
export interface Unwritable {
  /** Where it stands, `a.b`; empty if it is the whole. */
  readonly path: string
}

/** A program uses the same few schemas for all its calls. */
const known = new WeakMap<AST.AST, Shape | Unwritable>()

/** The shape of what a schema decodes. */
export const of = <A, I, R>({ ast }: Schema.Schema<A, I, R>): Shape | Unwritable => {
  const shape = known.get(ast) ?? make(ast)
  known.set(ast, shape)
  return shape
}

export const isWritable = (shape: Shape | Unwritable): shape is Shape => "schema" in shape

const make = (ast: AST.AST): Shape | Unwritable => {
  const definitions: Record<string, JSONSchema.JsonSchema7> = {}
  try {
    const root = cleaned(JSONSchema.fromAST(ast, { definitions, target: "jsonSchema2020-12" }))
    return rooted(Json.record(root) ?? {}, Json.record(cleaned(definitions)) ?? {})
  } catch (cause) {
    if (cause instanceof RangeError) throw cause
    return { path: pathOf(cause) }
  }
}

/** Effect says it in words alone: `at path: ["a"]["b"]`. */
const pathOf = (cause: unknown): string => {
  const path = /^at path: (.*)$/m.exec(cause instanceof Error ? cause.message : "")?.[1] ?? ""
  const steps = Array.from(path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]/g), ([, name, index]) => name ?? index)
  return steps.join(".")
}

const rooted = (given: Json.Fields, defs: Json.Fields): Shape => {
  const name = Subset.named(given["$ref"])
  const root = Subset.merged(name === undefined ? given : { ...Json.record(defs[name]) }, defs)
  const $defs = Object.keys(defs).length === 0 ? undefined : { $defs: defs }
  if (root["type"] === "object") return { schema: { ...root, ...$defs }, isWrapped: false }
  return { schema: { ...closed({ [field]: given }), ...$defs }, isWrapped: true }
}

/** The field that the value is wrapped in. */
const field = "value"

const closed = (properties: Json.Fields): Json.Fields => ({
  type: "object",
  required: Object.keys(properties),
  properties,
  additionalProperties: false
})

/** Without the marks of Effect's own, which are addresses to other readers. */
const cleaned = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(cleaned)
  const fields = Json.record(schema)
  if (fields === undefined) return schema
  // A struct without fields is "any object or array" to Effect.
  if (fields["$id"] === "/schemas/%7B%7D") {
    const { $id: _, anyOf: __, ...rest } = fields
    return { ...closed({}), ...rest }
  }
  const kept = Object.entries(fields).filter(([keyword, value]) => !isMark(keyword, value))
  return Object.fromEntries(kept.map(([keyword, value]) => [keyword, cleaned(value)]))
}

const isMark = (keyword: string, value: unknown): boolean =>
  (keyword === "$id" || keyword === "$comment") && typeof value === "string" && value.startsWith("/schemas/")

// ---------------------------------------------------------------------------------------------------------------------
// Read back
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A model's JSON as the schema has it: unwrapped, and without the nulls that stand for fields that were left out. A
 * model that was told the shape in words may have left out the wrapping.
 */
export const restored = ({ isWrapped, schema }: Shape, json: unknown): unknown => {
  const defs = Json.record(schema["$defs"]) ?? {}
  const fields = isWrapped ? Json.record(json) : undefined
  const value = fields !== undefined && Object.keys(fields).join() === field ? fields[field] : json
  const root = isWrapped ? Json.record(schema["properties"])?.[field] : schema
  return withoutNulls(value, variantsOf([root], defs), defs)
}

type Variants = ReadonlySet<Json.Fields>

const withoutNulls = (value: unknown, variants: Variants, defs: Json.Fields): unknown => {
  if (typeof value !== "object" || value === null || variants.size === 0) return value
  if (Array.isArray(value))
    return value.map((item, i) => withoutNulls(item, variantsOf(itemsAt(variants, i), defs), defs))
  const possible = [...variants].filter((variant) => isPossible(variant, value))
  const kept = Object.entries(value).flatMap(([name, inner]) => {
    const inside = variantsOf(
      possible.map((variant) => Json.record(variant["properties"])?.[name] ?? variant["additionalProperties"]),
      defs
    )
    if (inner === null && isLeftOut(name, possible) && ![...inside].some(takesNull)) return []
    return [[name, withoutNulls(inner, inside, defs)] as const]
  })
  return Object.fromEntries(kept)
}

const itemsAt = (variants: Variants, index: number): ReadonlyArray<unknown> =>
  [...variants].map(({ items, prefixItems }) => Json.array(prefixItems)[index] ?? items)

/** Whether a null may mean that the field is not there. */
const isLeftOut = (name: string, variants: ReadonlyArray<Json.Fields>): boolean =>
  variants.some(
    ({ properties, required }) =>
      Object.hasOwn(Json.record(properties) ?? {}, name) && !Json.array(required).includes(name)
  )

/** A member of a union is told by its literals. */
const isPossible = (variant: Json.Fields, value: object): boolean =>
  Object.entries(Json.record(variant["properties"]) ?? {}).every(([name, property]) => {
    const literals = Json.record(property)?.["enum"]
    const actual = Json.record(value)?.[name]
    return !Array.isArray(literals) || actual === undefined || actual === null || literals.includes(actual)
  })

const takesNull = ({ const: constant, enum: literals, type }: Json.Fields): boolean =>
  type === undefined && literals === undefined && constant === undefined
    ? true
    : [type].flat().includes("null") || constant === null || Json.array(literals).includes(null)

/** The schemas that a value may fit, with unions and definitions opened. */
const variantsOf = (schemas: ReadonlyArray<unknown>, defs: Json.Fields): Variants => {
  const open = [...schemas]
  const seen = new Set<unknown>()
  const variants = new Set<Json.Fields>()
  for (const schema of open) {
    const fields = Json.record(schema)
    if (fields === undefined || seen.has(schema)) continue
    seen.add(schema)
    const { $ref, allOf, anyOf, ...own } = fields
    const name = Subset.named($ref)
    const inner = [...Json.array(anyOf), ...Json.array(allOf), ...(name === undefined ? [] : [defs[name]])]
    if (inner.length === 0) variants.add(own)
    open.push(...inner)
  }
  return variants
}
