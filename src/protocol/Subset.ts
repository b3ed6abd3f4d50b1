/**
 * What a host reads of JSON Schema, 2020-12, when it holds a model to a schema. Each host reads a part, refuses the rest
 * with a 400, and reads a different one: the parts are data, and a schema is written anew for the one that it goes to.
 */
import type * as Chat from "../Chat.js"
import * as Json from "../Json.js"

/** The part that a host reads. What is not named here holds for all: `anyOf`, `enum`, closed objects, one kind of item. */
export interface Subset {
  /** Whether it reads this limit. One that it does not read is told to the model in the description. */
  readonly reads: (keyword: string, value: unknown) => boolean
  /** Every property has to be required, so one that may be left out may be null instead. */
  readonly requiresAll: boolean
  /** An object that says nothing of further fields may be closed; otherwise it is one that the host cannot be told. */
  readonly closes: boolean
  /** A schema may contain itself. */
  readonly recursion: boolean
  /** A `type` may stand beside `enum` and `const`. */
  readonly typedLiterals: boolean
  /** How deep objects may be nested. */
  readonly depth: number
}

/** The schema, written for the host; `undefined` if it cannot be. */
export const written = (schema: Chat.JsonSchema, subset: Subset): Chat.JsonSchema | undefined => {
  const writing = new Writing(schema, subset)
  const root = writing.root()
  return writing.isOutside ? undefined : root
}

/** Asks for JSON where no field of the wire can: of this schema, if it has one. */
export const inWords = (output: NonNullable<Chat.Request["output"]>): string =>
  `Answer with JSON and nothing else.${output === "json" ? "" : ` It must match this JSON Schema: ${JSON.stringify(output.schema)}`}`

class Writing {
  /** Whether something was met that the host cannot be told. */
  isOutside = false
  private readonly defs: Json.Fields

  constructor(
    private readonly schema: Chat.JsonSchema,
    private readonly subset: Subset
  ) {
    this.defs = Json.record(schema["$defs"]) ?? {}
  }

  root(): Json.Fields {
    const { $defs: _, ...schema } = this.schema
    const root = this.node(schema, 1)
    const defs: { [name: string]: Json.Fields } = {}
    // A definition that was merged into its place may be needed no more; others are found while these are written.
    for (let missing = this.missing([root], defs); missing.length > 0; missing = this.missing([root, defs], defs)) {
      for (const name of missing) defs[name] = this.node(this.defs[name], 2)
    }
    if (!this.subset.recursion && Object.keys(defs).some((name) => contains(defs, name))) this.isOutside = true
    return Object.keys(defs).length === 0 ? root : { ...root, $defs: defs }
  }

  private missing(within: unknown, defs: Json.Fields): ReadonlyArray<string> {
    const names = [...refsIn(within)].filter((name) => !Object.hasOwn(defs, name))
    if (names.every((name) => Object.hasOwn(this.defs, name))) return names
    this.isOutside = true
    return []
  }

  private node(given: unknown, level: number): Json.Fields {
    const fields = Json.record(given)
    if (fields === undefined) return this.outside()
    const schema = merged(fields, this.defs)
    const { $ref } = schema
    if ($ref !== undefined) return named($ref) === undefined ? this.outside() : { $ref }
    const out: { [keyword: string]: unknown } = {}
    const unread: { [keyword: string]: unknown } = {}
    for (const [keyword, value] of Object.entries(schema)) {
      if (shapes.has(keyword)) continue
      if (words.has(keyword) || this.subset.reads(keyword, value)) out[keyword] = value
      else unread[keyword] = value
    }
    const variants = schema["anyOf"] ?? schema["oneOf"]
    if (variants !== undefined) out["anyOf"] = Json.array(variants).map((variant) => this.node(variant, level))
    const types = [schema["type"]].flat()
    if (types.includes("object") || schema["properties"] !== undefined) Object.assign(out, this.object(schema, level))
    if (types.includes("array")) Object.assign(out, this.items(schema, level))
    if (schema["prefixItems"] !== undefined) unread["prefixItems"] = schema["prefixItems"]
    if (!["type", "anyOf", "enum", "const"].some((keyword) => keyword in out) || isNested(schema)) this.outside()
    if (!this.subset.typedLiterals && ("enum" in out || "const" in out)) delete out["type"]
    return Object.keys(unread).length === 0 ? out : { ...out, description: described(out["description"], unread) }
  }

  /** Closed: what is not named is not allowed. A record has no names, so no host can be held to it. */
  private object(schema: Json.Fields, level: number): Json.Fields {
    const { additionalProperties = !this.subset.closes, patternProperties, properties } = schema
    const given = Object.entries(Json.record(properties) ?? {})
    const isOpen = additionalProperties !== false || patternProperties !== undefined || properties === undefined
    if (isOpen || level > this.subset.depth) return this.outside()
    const names = new Set(Json.array(schema["required"]))
    const all = given.map(([name, property]) => {
      const written = this.node(property, level + 1)
      return [name, names.has(name) || !this.subset.requiresAll ? written : orNull(written)] as const
    })
    return {
      properties: Object.fromEntries(all),
      required: given.map(([name]) => name).filter((name) => this.subset.requiresAll || names.has(name)),
      additionalProperties: false
    }
  }

  /** No host knows a tuple; its items may be any of those that stand in it, and the description says which comes where. */
  private items({ items, prefixItems }: Json.Fields, level: number): Json.Fields {
    const all = [...Json.array(prefixItems), ...(Json.record(items) === undefined ? [] : [items])]
    const written = new Map(
      all.map((item) => this.node(item, level)).map((item) => [JSON.stringify(item), item] as const)
    )
    const [only, ...others] = written.values()
    if (only === undefined) return this.outside()
    return { items: others.length === 0 ? only : { anyOf: [only, ...others] } }
  }

  private outside(): Json.Fields {
    this.isOutside = true
    return {}
  }
}

/** What shapes a value, written by `Writing` itself, or says nothing of it. */
const shapes = new Set([
  ...["properties", "required", "additionalProperties", "patternProperties", "items", "prefixItems", "anyOf", "oneOf"],
  ...["$schema", "$id", "$comment"]
])

/** What every host reads. */
const words = new Set(["type", "enum", "const", "title", "description"])

/** Whether parts of it are left that must hold all at once, or not at all, and shape the value. */
const isNested = (schema: Json.Fields): boolean =>
  schema["not"] !== undefined ||
  Json.array(schema["allOf"]).some((part) =>
    Object.keys(Json.record(part) ?? { type: 0 }).some(
      (key) => key === "$ref" || key === "type" || key === "enum" || shapes.has(key)
    )
  )

const described = (description: unknown, unread: Json.Fields): string => {
  const list = Object.entries(unread).map(([keyword, value]) => `${keyword}: ${JSON.stringify(value)}`)
  return `${typeof description === "string" ? `${description}\n\n` : ""}{${list.join(", ")}}`
}

const orNull = (schema: Json.Fields): Json.Fields => {
  const variants = "anyOf" in schema ? Json.array(schema["anyOf"]) : [schema]
  const isNull = (variant: unknown) => Json.record(variant)?.["type"] === "null"
  return {
    ...("anyOf" in schema ? schema : undefined),
    anyOf: variants.some(isNull) ? variants : [...variants, nothing]
  }
}

const nothing: Json.Fields = { type: "null" }

// ---------------------------------------------------------------------------------------------------------------------
// Definitions
// ---------------------------------------------------------------------------------------------------------------------

/** The definition that a `$ref` names, if it is one of this schema's own. */
export const named = ($ref: unknown): string | undefined => {
  const name = /^#\/\$defs\/([^/]+)$/.exec(Json.string($ref) ?? "")?.[1]
  return name === undefined ? undefined : decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")
}

/** The definitions that are named anywhere inside. */
const refsIn = (schema: unknown, found: Set<string> = new Set()): Set<string> => {
  if (typeof schema !== "object" || schema === null) return found
  const name = Array.isArray(schema) ? undefined : named(Json.record(schema)?.["$ref"])
  if (name !== undefined) found.add(name)
  for (const inner of Object.values(schema)) refsIn(inner, found)
  return found
}

/** Whether a definition contains itself. */
const contains = (defs: Json.Fields, name: string): boolean => {
  const seen = refsIn(defs[name])
  for (const inner of seen) refsIn(defs[inner], seen)
  return seen.has(name)
}

/**
 * A schema whose `$ref` has company, or that has to fit several at once, as one: hosts read no `$ref` beside other
 * keywords, and no `allOf`. What cannot be made one is left in `allOf`.
 */
export const merged = (
  schema: Json.Fields,
  defs: Json.Fields,
  within: ReadonlySet<string> = new Set()
): Json.Fields => {
  const { $ref, allOf, ...own } = schema
  if (allOf === undefined && ($ref === undefined || Object.keys(own).length === 0)) return schema
  const name = named($ref)
  if ($ref !== undefined && (name === undefined || within.has(name))) return schema
  const target = name === undefined ? [] : [merged(Json.record(defs[name]) ?? {}, defs, new Set([...within, name]))]
  const parts = Json.array(allOf).map((part) => merged(Json.record(part) ?? { not: {} }, defs, within))
  return [...target, ...parts, own].reduce(both)
}

/** Both at once. Of annotations the second's count. */
const both = (one: Json.Fields, other: Json.Fields): Json.Fields => {
  const out: { [keyword: string]: unknown } = { ...one }
  const left: { [keyword: string]: unknown } = {}
  for (const [keyword, value] of Object.entries(other)) {
    const first = out[keyword]
    const choose = tighter(keyword)
    if (first === undefined || annotations.has(keyword)) out[keyword] = value
    else if (choose !== undefined && typeof first === "number" && typeof value === "number") {
      out[keyword] = choose(first, value)
    } else if (keyword === "type" && isNumber(first) && isNumber(value)) {
      out["type"] = first === value ? first : "integer"
    } else if (keyword === "allOf") out["allOf"] = [...Json.array(first), ...Json.array(value)]
    else if (JSON.stringify(first) !== JSON.stringify(value)) left[keyword] = value
  }
  return Object.keys(left).length === 0 ? out : { ...out, allOf: [...Json.array(out["allOf"]), left] }
}

const annotations = new Set(["title", "description", "default", "examples", "$comment"])

const isNumber = (type: unknown): boolean => type === "number" || type === "integer"

const tighter = (keyword: string): ((one: number, other: number) => number) | undefined =>
  /^(exclusiveM|m)in/.test(keyword) ? Math.max : /^(exclusiveM|m)ax/.test(keyword) ? Math.min : undefined
