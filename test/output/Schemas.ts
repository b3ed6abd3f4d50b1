/** Schemas of all kinds, each with a value as JSON has it, and how far a host can hold a model to it. */
import { Schema } from "effect"

export interface Row {
  readonly name: string
  readonly schema: Schema.Schema.AnyNoContext
  /** A value of it, encoded. */
  readonly json: unknown
  /** The root is no object, so it is asked for as a field of one. */
  readonly isWrapped: boolean
  /** OpenAI takes it with `strict`. */
  readonly isStrict: boolean
  /** Anthropic takes it in its field; otherwise it is asked for in words. */
  readonly isHeld: boolean
}

interface Tree {
  readonly leaf: string
  readonly next?: Tree | undefined
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  leaf: Schema.String,
  next: Schema.optional(Schema.suspend(() => Tree))
}).annotations({ identifier: "Tree" })

type Sum = number | { readonly plus: readonly [Sum, Sum] }
const Sum: Schema.Schema<Sum> = Schema.Union(
  Schema.Number,
  Schema.Struct({
    plus: Schema.Tuple(
      Schema.suspend(() => Sum),
      Schema.suspend(() => Sum)
    )
  })
).annotations({ identifier: "Sum" })

class City extends Schema.Class<City>("City")({ name: Schema.String, founded: Schema.optional(Schema.Int) }) {}
class Capital extends City.extend<Capital>("a/Capital ~ of")({ of: Schema.String }) {}
class Cat extends Schema.TaggedClass<Cat>()("Cat", { lives: Schema.Int }) {}
class Dog extends Schema.TaggedClass<Dog>()("Dog", { tricks: Schema.Array(Schema.String) }) {}

const inField = (schema: Schema.Schema.AnyNoContext, json: unknown) => ({
  schema: Schema.Struct({ a: schema }),
  json: { a: json }
})

const row = (
  name: string,
  schema: Schema.Schema.AnyNoContext,
  json: unknown,
  what: Partial<Pick<Row, "isWrapped" | "isStrict" | "isHeld">> = {}
): Row => ({ name, schema, json, isWrapped: false, isStrict: true, isHeld: true, ...what })

const field = (name: string, schema: Schema.Schema.AnyNoContext, json: unknown, what: Partial<Row> = {}): Row => {
  const inner = inField(schema, json)
  return row(name, inner.schema, inner.json, what)
}

const wrapped = { isWrapped: true }
const loose = { isStrict: false, isHeld: false }

export const rows: ReadonlyArray<Row> = [
  // Objects
  row("a struct", Schema.Struct({ a: Schema.String, b: Schema.Boolean }), { a: "x", b: true }),
  row("an empty struct", Schema.Struct({}), {}),
  row("a struct in a struct", Schema.Struct({ a: Schema.Struct({ b: Schema.Struct({ c: Schema.Null }) }) }), {
    a: { b: { c: null } }
  }),
  row("a class", City, { name: "Rome" }),
  row("a class with all its fields", City, { name: "Rome", founded: -753 }),
  row("a class that extends one, of a difficult name", Capital, { name: "Rome", of: "Italy" }),
  row("a tagged class", Cat, { _tag: "Cat", lives: 9 }),
  row("a struct with an identifier", Schema.Struct({ a: Schema.String }).annotations({ identifier: "A" }), { a: "x" }),
  row("a struct with a description", Schema.Struct({ a: Schema.String }).annotations({ description: "of a" }), {
    a: "x"
  }),
  row("a class with a description", City.annotations({ description: "a city" }), { name: "Rome" }),
  row("a filtered struct", Schema.Struct({ a: Schema.Int, b: Schema.Int }).pipe(Schema.filter(({ a, b }) => a <= b)), {
    a: 1,
    b: 2
  }),
  row("an optional field, left out", Schema.Struct({ a: Schema.optional(Schema.String), b: Schema.Int }), { b: 1 }),
  row("an optional field, there", Schema.Struct({ a: Schema.optional(Schema.String) }), { a: "x" }),
  row("an optional field that may be null", Schema.Struct({ a: Schema.optional(Schema.NullOr(Schema.String)) }), {
    a: null
  }),
  row("an optional class, left out", Schema.Struct({ a: Schema.optional(City) }), {}),
  row(
    "an optional field with a default",
    Schema.Struct({ a: Schema.optionalWith(Schema.Int, { default: () => 7 }) }),
    {}
  ),
  row(
    "an optional field as an Option",
    Schema.Struct({ a: Schema.optionalWith(Schema.Int, { as: "Option", nullable: true }) }),
    { a: null }
  ),
  row("a field or undefined", Schema.Struct({ a: Schema.UndefinedOr(Schema.Int) }), {}),
  row("a renamed field", Schema.Struct({ a: Schema.propertySignature(Schema.Int).pipe(Schema.fromKey("b")) }), {
    b: 1
  }),
  row(
    "a field of a difficult name",
    Schema.Struct({ 'a b/~ "c"': Schema.Int, $ref: Schema.String, type: Schema.Int }),
    { 'a b/~ "c"': 1, $ref: "x", type: 2 }
  ),
  row("a record", Schema.Record({ key: Schema.String, value: Schema.Int }), { x: 1 }, loose),
  row("a record of certain keys", Schema.Record({ key: Schema.Literal("x", "y"), value: Schema.Int }), { x: 1, y: 2 }),
  row(
    "a record with a pattern",
    Schema.Record({ key: Schema.TemplateLiteral("x-", Schema.String), value: Schema.Int }),
    { "x-a": 1 },
    loose
  ),
  row(
    "a struct with a rest",
    Schema.Struct({ a: Schema.Int }, { key: Schema.String, value: Schema.Int }),
    { a: 1, b: 2 },
    loose
  ),
  field("a record in a field", Schema.Record({ key: Schema.String, value: Schema.String }), { x: "y" }, loose),
  // Unions
  row("a union of structs at the root", Schema.Union(Cat, Dog), { _tag: "Dog", tricks: ["sit"] }, wrapped),
  field("a union of structs in a field", Schema.Union(Cat, Dog), { _tag: "Cat", lives: 9 }),
  row(
    "a union of optional fields",
    Schema.Union(
      Schema.Struct({ k: Schema.Literal("a"), x: Schema.optional(Schema.Int) }),
      Schema.Struct({ k: Schema.Literal("b"), x: Schema.NullOr(Schema.Int) })
    ),
    { k: "b", x: null },
    wrapped
  ),
  field("a null or a string", Schema.NullOr(Schema.String), null),
  field("a scalar or an object", Schema.Union(Schema.Number, City), { name: "Rome" }),
  row("a discriminated union in an array", Schema.Struct({ a: Schema.Array(Schema.Union(Cat, Dog)) }), {
    a: [{ _tag: "Cat", lives: 9 }]
  }),
  // Arrays
  row("an array at the root", Schema.Array(City), [{ name: "Rome" }, { name: "Bonn" }], wrapped),
  field("an array in an array", Schema.Array(Schema.Array(Schema.Int)), [[1], []]),
  field("an array of at least one", Schema.NonEmptyArray(Schema.Int), [1]),
  field("an array of three to five", Schema.Array(Schema.Int).pipe(Schema.minItems(3), Schema.maxItems(5)), [1, 2, 3]),
  row("a tuple at the root", Schema.Tuple(Schema.String, Schema.Int), ["a", 1], wrapped),
  field("a tuple of one kind", Schema.Tuple(Schema.Number, Schema.Number), [1, 2]),
  field("a tuple with a rest", Schema.Tuple([Schema.String], Schema.Int), ["a", 1, 2]),
  field("a tuple with an optional element", Schema.Tuple(Schema.String, Schema.optionalElement(Schema.Int)), ["a"]),
  field("a set", Schema.ReadonlySet(Schema.String), ["a", "b"]),
  field("a map", Schema.ReadonlyMap({ key: Schema.String, value: Schema.Int }), [["a", 1]]),
  // Scalars
  row("a string at the root", Schema.String, "x", wrapped),
  row("a number at the root", Schema.NumberFromString, "12", wrapped),
  row("a literal at the root", Schema.Literal("yes", "no"), "yes", wrapped),
  row("a boolean at the root", Schema.Boolean, false, wrapped),
  row("a null at the root", Schema.Null, null, wrapped),
  field("literals of several types", Schema.Literal("a", 1, true, null), 1),
  field("an enum", Schema.Enums({ Up: "up", Down: 2 }), "up"),
  field("a date", Schema.Date, "2026-01-02T00:00:00.000Z"),
  field("a bigint from a string", Schema.BigInt, "12"),
  field("a UUID", Schema.UUID, "123e4567-e89b-12d3-a456-426614174000"),
  field("a branded string", Schema.String.pipe(Schema.brand("Id")), "x"),
  field("a string of two to four", Schema.String.pipe(Schema.minLength(2), Schema.maxLength(4)), "abc"),
  field("a string of a pattern", Schema.String.pipe(Schema.pattern(/^[a-z]+$/)), "abc"),
  field("a string of two patterns", Schema.String.pipe(Schema.pattern(/^a/), Schema.pattern(/z$/)), "az"),
  field("a string of a pattern that looks around", Schema.String.pipe(Schema.pattern(/^(?!b)/)), "a"),
  field("a template literal", Schema.TemplateLiteral("v", Schema.Number), "v1"),
  field("a trimmed string", Schema.Trim, "abc"),
  field("an integer from 1 to 5", Schema.Int.pipe(Schema.between(1, 5)), 3),
  field("a number within two ranges", Schema.Number.pipe(Schema.between(0, 10), Schema.between(5, 20)), 7),
  field(
    "a number above, below and a multiple",
    Schema.Number.pipe(Schema.greaterThan(0), Schema.lessThan(9), Schema.multipleOf(2)),
    4
  ),
  field("a filter of no JSON Schema", Schema.String.pipe(Schema.filter((text) => text.length < 4)), "abc"),
  field("JSON in a string", Schema.parseJson(Schema.Struct({ b: Schema.Int })), '{"b":1}'),
  row("JSON in a string at the root", Schema.parseJson(Schema.Struct({ b: Schema.Int })), '{"b":1}', wrapped),
  // What cannot be described fully
  field("anything", Schema.Unknown, [1, "x"], loose),
  field("any object", Schema.Object, { x: 1 }, loose),
  row("a tree", Tree, { leaf: "a", next: { leaf: "b" } }, { isHeld: false }),
  field("a tree in a field", Tree, { leaf: "a", next: { leaf: "b", next: { leaf: "c" } } }, { isHeld: false }),
  row("a union that contains itself", Sum, { plus: [1, { plus: [2, 3] }] }, { isWrapped: true, isHeld: false }),
  row(
    "eleven levels",
    Array.from({ length: 10 }).reduce<Schema.Schema.AnyNoContext>(
      (inner) => Schema.Struct({ a: inner }),
      Schema.Struct({ a: Schema.Int })
    ),
    Array.from({ length: 10 }).reduce<unknown>((inner) => ({ a: inner }), { a: 1 }),
    { isStrict: false }
  )
]
