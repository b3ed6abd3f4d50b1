/** Whether JSON fits a schema, as far as hosts hold a model to one: what shapes a value, and no limits. */
import * as Json from "../../src/Json.js"
import * as Subset from "../../src/protocol/Subset.js"

export const fits = (root: Json.Fields, json: unknown): boolean => {
  const go = (schema: unknown, value: unknown): boolean => {
    if (typeof schema === "boolean") return schema
    const node = Json.record(schema) ?? {}
    const {
      $ref,
      additionalProperties,
      allOf,
      anyOf,
      const: constant,
      enum: literals,
      items,
      not,
      prefixItems,
      type
    } = node
    const name = Subset.named($ref)
    if (name !== undefined && !go(Json.record(root["$defs"])?.[name], value)) return false
    if (Array.isArray(allOf) && !allOf.every((part) => go(part, value))) return false
    if (Array.isArray(anyOf) && !anyOf.some((part) => go(part, value))) return false
    if (not !== undefined && go(not, value)) return false
    if (Array.isArray(literals) && !literals.includes(value)) return false
    if (constant !== undefined && constant !== value) return false
    if (type !== undefined && ![type].flat().some((type) => is(type, value))) return false
    if (Array.isArray(value)) {
      return value.every((item, i) => go(Json.array(prefixItems)[i] ?? items ?? true, item))
    }
    const fields = Json.record(value)
    if (fields === undefined) return true
    const properties = Json.record(node["properties"]) ?? {}
    return (
      Json.array(node["required"]).every((name) => Object.hasOwn(fields, String(name))) &&
      Object.entries(fields).every(([name, inner]) =>
        go(Object.hasOwn(properties, name) ? properties[name] : (additionalProperties ?? true), inner)
      )
    )
  }
  return go(root, json)
}

const is = (type: unknown, value: unknown): boolean =>
  type === "null"
    ? value === null
    : type === "array"
      ? Array.isArray(value)
      : type === "object"
        ? Json.record(value) !== undefined
        : type === "integer"
          ? Number.isInteger(value)
          : typeof value === type

/** JSON as a model writes it that was told to require every field: null for those that are not there. */
export const filled = (root: Json.Fields, json: unknown): unknown => {
  const { $defs } = root
  const go = (schema: unknown, value: unknown): unknown => {
    const candidates = expand(Json.record(schema) ?? {})
    const all = candidates.map((candidate) => ({ candidate, value: fill(candidate, value) }))
    return (all.find(({ candidate, value }) => fits({ ...candidate, $defs }, value)) ?? { value }).value
  }
  const fill = (schema: Json.Fields, value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((item) => go(schema["items"], item))
    const fields = Json.record(value)
    if (fields === undefined) return value
    const properties = Json.record(schema["properties"]) ?? {}
    const missing = Json.array(schema["required"]).map((name) => [String(name), null])
    const all: Json.Fields = { ...Object.fromEntries(missing), ...fields }
    return Object.fromEntries(Object.entries(all).map(([name, inner]) => [name, go(properties[name], inner)]))
  }
  const expand = (schema: Json.Fields): ReadonlyArray<Json.Fields> => {
    const name = Subset.named(schema["$ref"])
    if (name !== undefined) return expand(Json.record(Json.record($defs)?.[name]) ?? {})
    return "anyOf" in schema
      ? Json.array(schema["anyOf"]).flatMap((variant) => expand(Json.record(variant) ?? {}))
      : [schema]
  }
  return go(root, json)
}
