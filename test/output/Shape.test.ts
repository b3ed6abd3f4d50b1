/**
 * What a model is told of a schema, and what it answers read back: for schemas of all kinds, what each host is sent, and
 * that the value decodes.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import { Tool } from "../../src/index.js"
import * as Json from "../../src/Json.js"
import * as Output from "../../src/Output.js"
import * as Shape from "../../src/output/Shape.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { body, type Name, service } from "../protocol/Bodies.js"
import { hello } from "../Wire.js"
import { filled, fits } from "./Fits.js"
import { rows } from "./Schemas.js"

const answered = (name: Name, text: string): Gateway.Answer =>
  name === "anthropic"
    ? Gateway.json({ content: [{ type: "text", text }], stop_reason: "end_turn" })
    : Gateway.json({ choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }] })

/** What a host is sent for the schema, and what `completeObject` makes of this answer. */
const asked = (name: Name, schema: Schema.Schema.AnyNoContext, answer: unknown) =>
  Effect.gen(function* () {
    const provider = yield* service(name)
    const { value } = yield* provider.completeObject(schema, hello)
    const [request] = yield* Gateway.requests
    return { value, body: Json.record(request?.body) ?? {} }
  }).pipe(Effect.provide(Gateway.layer([answered(name, JSON.stringify(answer))])))

const shapeOf = (schema: Schema.Schema.AnyNoContext): Shape.Shape => {
  const shape = Shape.of(schema)
  if (!Shape.isWritable(shape)) throw new Error(`not writable at ${shape.path}`)
  return shape
}

/** Every schema inside a schema, with the root first. */
const nodes = (schema: unknown): ReadonlyArray<Json.Fields> => {
  const node = Json.record(schema)
  if (node === undefined) return []
  const inner = [
    ...Object.values(Json.record(node["properties"]) ?? {}),
    ...Object.values(Json.record(node["$defs"]) ?? {}),
    ...["anyOf", "allOf", "prefixItems"].flatMap((keyword) => Json.array(node[keyword])),
    node["items"],
    node["additionalProperties"]
  ]
  return [node, ...inner.flatMap(nodes)]
}

interface Told {
  readonly schema: Json.Fields
  readonly strict: boolean
}

const toldOpenAi = (body: Json.Fields): Told => {
  const format = Json.record(Json.record(body["response_format"])?.["json_schema"]) ?? {}
  return { schema: Json.record(format["schema"]) ?? {}, strict: format["strict"] === true }
}

const toldAnthropic = (body: Json.Fields): Json.Fields | undefined =>
  Json.record(Json.record(Json.record(body["output_config"])?.["format"])?.["schema"])

// The bench's contenders. Their rules stand in our own tables; these only say when a table has grown old.
const contender = (path: string) => new URL(`../bench/node_modules/${path}`, import.meta.url).pathname
const load = <A>(path: string): A | undefined =>
  existsSync(contender(path)) ? createRequire(import.meta.url)(contender(path)) : undefined
const openai = load<{ toStrictJsonSchema: (schema: unknown) => unknown }>("openai/lib/transform.js")
const anthropic = load<{ transformJSONSchema: (schema: unknown) => unknown }>(
  "@anthropic-ai/sdk/lib/transform-json-schema.js"
)
if (openai === undefined || anthropic === undefined) {
  console.warn("The vendors' own SDKs are not installed (npm ci in test/bench): they are not asked.")
}

for (const { isHeld, isStrict, isWrapped, json, name, schema } of rows) {
  describe(name, () => {
    const decoded = Schema.decodeUnknownSync(schema)(json)
    const wrap = (value: unknown) => (isWrapped ? { value } : value)

    it("is JSON Schema 2020-12 of an object, which the value fits", () => {
      const shape = shapeOf(schema)
      expect(shape.isWrapped).toBe(isWrapped)
      expect(shape.schema).toMatchObject({ type: "object" })
      expect(fits(shape.schema, wrap(json))).toBe(true)
      for (const node of nodes(shape.schema)) {
        expect(Array.isArray(node["items"])).toBe(false)
        expect(node).not.toHaveProperty("additionalItems")
        expect(node["$id"]).toBeUndefined()
      }
    })

    it.effect(`is ${isStrict ? "strict" : "not strict"} for OpenAI, and the value decodes`, () =>
      Effect.gen(function* () {
        const told = toldOpenAi((yield* asked("openai", schema, wrap(json))).body)
        expect(told.strict).toBe(isStrict)
        expect(yield* body("responses", { ...hello, output: { schema: shapeOf(schema).schema } })).toMatchObject({
          text: { format: { type: "json_schema", schema: told.schema, strict: told.strict } }
        })
        const written = isStrict ? filled(told.schema, wrap(json)) : wrap(json)
        expect(fits(told.schema, written)).toBe(true)
        expect((yield* asked("openai", schema, written)).value).toEqual(decoded)
        if (!isStrict) return expect(told.schema).toEqual(shapeOf(schema).schema)
        for (const node of nodes(told.schema)) {
          const properties = Json.record(node["properties"])
          if (node["$ref"] !== undefined) expect(Object.keys(node)).toEqual(["$ref"])
          if (node["type"] === "object") expect(node["additionalProperties"]).toBe(false)
          if (properties !== undefined) expect(node["required"]).toEqual(Object.keys(properties))
          for (const keyword of ["allOf", "prefixItems", "not", "oneOf", "uniqueItems", "default", "contentSchema"]) {
            expect(node).not.toHaveProperty(keyword)
          }
        }
        if (openai !== undefined) expect(openai.toStrictJsonSchema(told.schema)).toEqual(told.schema)
      })
    )

    it.effect(`is ${isHeld ? "in the field" : "in words"} for Anthropic, and the value decodes`, () =>
      Effect.gen(function* () {
        const { body, value } = yield* asked("anthropic", schema, wrap(json))
        expect(value).toEqual(decoded)
        const told = toldAnthropic(body)
        if (!isHeld) {
          expect(told).toBeUndefined()
          expect(JSON.stringify(body["system"])).toContain("It must match this JSON Schema")
          return
        }
        expect(body).not.toHaveProperty("system")
        expect(fits(told ?? {}, wrap(json))).toBe(true)
        for (const node of nodes(told)) {
          if (node["type"] === "object") expect(node["additionalProperties"]).toBe(false)
          for (const keyword of ["minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems", "pattern"]) {
            expect(node).not.toHaveProperty(keyword)
          }
        }
        if (anthropic !== undefined) expect(anthropic.transformJSONSchema(told)).toEqual(told)
      })
    )

    it.effect("is whole where a host is told it in words, and the value decodes", () =>
      Effect.gen(function* () {
        const { body, value } = yield* asked("mimo", schema, wrap(json))
        expect(value).toEqual(decoded)
        expect(JSON.stringify(body["messages"])).toContain(
          JSON.stringify(JSON.stringify(shapeOf(schema).schema)).slice(1, -1)
        )
      })
    )

    it("is an object as the parameters of a tool, and no union at its root; the arguments decode", () => {
      const tool = Tool.make({ name: "t", parameters: schema as Schema.Schema<unknown> })
      expect(tool.parameters).toMatchObject({ type: "object" })
      for (const keyword of ["anyOf", "allOf", "oneOf", "enum", "not", "$ref"]) {
        expect(tool.parameters).not.toHaveProperty(keyword)
      }
      expect(tool.decode({ id: "1", name: "t", input: wrap(json) })).toEqual(Either.right(decoded))
    })
  })
}

describe("what cannot be written as JSON fails before anything is sent, and says where", () => {
  const Knot: Schema.Schema.AnyNoContext = Schema.Struct({ next: Schema.suspend(() => Knot) })
  const refused: ReadonlyArray<
    readonly [name: string, schema: Schema.Schema.AnyNoContext, subject: string | undefined]
  > = [
    ["a bigint", Schema.BigIntFromSelf, undefined],
    ["undefined", Schema.Undefined, undefined],
    ["a symbol", Schema.Struct({ a: Schema.SymbolFromSelf }), "a"],
    [
      "a Date in an array in a field",
      Schema.Struct({ a: Schema.Array(Schema.Struct({ b: Schema.DateFromSelf })) }),
      "a.b"
    ],
    ["a class of the program's", Schema.Struct({ "x y": Schema.Struct({ z: Schema.instanceOf(URL) }) }), "x y.z"],
    ["a function in a tuple", Schema.Struct({ a: Schema.Tuple(Schema.Int, Schema.instanceOf(Function)) }), "a.1"],
    ["a schema that contains itself without an identifier", Knot, "next"]
  ]
  for (const [name, schema, subject] of refused) {
    for (const host of ["openai", "anthropic", "minimax"] as const) {
      it.effect(`${name}: ${host}`, () =>
        Effect.gen(function* () {
          const provider = yield* service(host)
          const error = yield* Effect.flip(provider.completeObject(schema, hello))
          expect(error).toMatchObject({
            _tag: "InvalidRequest",
            reason: "BadRequest",
            problem: "BadSchema",
            attempts: 0,
            history: []
          })
          expect(error).toHaveProperty("subject", subject)
          expect(yield* Gateway.requests).toEqual([])
        }).pipe(Effect.provide(Gateway.layer([])))
      )
    }
    it(`${name}: a tool cannot be made of it`, () => {
      expect(() => Tool.make({ name: "t", parameters: schema as Schema.Schema<unknown> })).toThrow(
        subject === undefined ? "no JSON" : `at ${subject}`
      )
    })
  }

  it.effect("is asked for all the same where the request says itself what is asked for", () =>
    Effect.gen(function* () {
      const provider = yield* service("openai")
      const { value } = yield* provider.completeObject(Schema.Struct({ next: Schema.optional(Knot) }), {
        ...hello,
        output: { schema: { type: "object" } }
      })
      expect(value).toEqual({})
    }).pipe(Effect.provide(Gateway.layer([answered("openai", "{}")])))
  )
})

describe("what a host is sent, to the letter", () => {
  const Score = Schema.Struct({
    points: Schema.Int.pipe(Schema.between(1, 5)),
    note: Schema.optional(Schema.String.pipe(Schema.minLength(2)).annotations({ description: "in a word" })),
    pair: Schema.Tuple(Schema.String, Schema.Int)
  })
  const prefix = 'prefixItems: [{"type":"string"},{"$ref":"#/$defs/Int"}]'

  it.effect("OpenAI: every field required, the limits that it reads, a tuple as an array of either", () =>
    Effect.gen(function* () {
      const { body } = yield* asked("openai", Score, { points: 1, note: null, pair: ["a", 1] })
      expect(toldOpenAi(body).schema).toMatchObject({
        type: "object",
        required: ["points", "note", "pair"],
        additionalProperties: false,
        properties: {
          points: { type: "integer", description: "a number between 1 and 5", minimum: 1, maximum: 5 },
          note: { anyOf: [{ type: "string", description: "in a word", minLength: 2 }, { type: "null" }] },
          pair: { type: "array", minItems: 2, items: { anyOf: [{ type: "string" }, { $ref: "#/$defs/Int" }] } }
        },
        $defs: { Int: { type: "integer" } }
      })
      expect(JSON.stringify(body)).toContain("prefixItems: ")
    })
  )

  it.effect("limits that hold at once are one: the narrower counts, and what cannot be one is words", () =>
    Effect.gen(function* () {
      const Both = Schema.Struct({
        a: Schema.Number.pipe(Schema.between(0, 10), Schema.between(5, 20)),
        b: Schema.String.pipe(Schema.pattern(/^a/), Schema.pattern(/z$/))
      })
      const { body } = yield* asked("openai", Both, { a: 7, b: "az" })
      const { a, b } = Json.record(toldOpenAi(body).schema["properties"]) ?? {}
      expect(a).toMatchObject({ minimum: 5, maximum: 10 })
      expect(b).toMatchObject({ pattern: "^a", description: expect.stringContaining('{allOf: [{"pattern":"z$"}]}') })
    })
  )

  it.effect("Anthropic: fields may be left out, limits are words", () =>
    Effect.gen(function* () {
      const { body } = yield* asked("anthropic", Score, { points: 1, pair: ["a", 1] })
      expect(toldAnthropic(body)).toMatchObject({
        required: ["points", "pair"],
        properties: {
          points: { type: "integer", description: "a number between 1 and 5\n\n{minimum: 1, maximum: 5}" },
          note: { type: "string", description: "in a word\n\n{minLength: 2}" },
          pair: { type: "array", description: `{minItems: 2, ${prefix}}` }
        }
      })
    })
  )

  it.effect(
    "a schema of the program's own is closed for Anthropic, and says in words what that cannot be held to",
    () =>
      Effect.gen(function* () {
        const provider = yield* service("anthropic")
        const output = { schema: { type: "object", properties: { a: { type: "integer", minimum: 3 } } } }
        yield* Effect.exit(provider.complete({ ...hello, output }))
        const [request] = yield* Gateway.requests
        expect(request?.body).toMatchObject({
          output_config: {
            format: {
              schema: {
                ...output.schema,
                properties: { a: { type: "integer", description: "{minimum: 3}" } },
                additionalProperties: false
              }
            }
          }
        })
      }).pipe(Effect.provide(Gateway.layer([answered("anthropic", "{}")])))
  )
})

describe("read back", () => {
  const restored = (schema: Schema.Schema.AnyNoContext, json: unknown) => Output.restored(schema, json)
  const Kinds = Schema.Union(
    Schema.Struct({ k: Schema.Literal("a"), x: Schema.optional(Schema.Int) }),
    Schema.Struct({ k: Schema.Literal("b"), x: Schema.NullOr(Schema.Int) })
  )

  it("a null for a field that may be left out is left out; one that the field takes is kept", () => {
    expect(restored(Kinds, { value: { k: "a", x: null } })).toEqual({ k: "a" })
    expect(restored(Kinds, { value: { k: "b", x: null } })).toEqual({ k: "b", x: null })
    expect(restored(Schema.Struct({ a: Schema.optional(Schema.Unknown) }), { a: null })).toEqual({ a: null })
    expect(restored(Schema.Struct({ a: Schema.String }), { a: null })).toEqual({ a: null })
  })

  it("a model that left out the wrapping is understood", () => {
    expect(restored(Schema.Array(Schema.Int), [1])).toEqual([1])
    expect(restored(Schema.String, "x")).toEqual("x")
    expect(restored(Kinds, { k: "a" })).toEqual({ k: "a" })
  })

  it("a field of a record may have any name", () => {
    const Any = Schema.Record({ key: Schema.String, value: Schema.NullOr(Schema.Int) })
    const json = JSON.parse('{"hasOwnProperty":null,"toString":1,"value":2}')
    expect(restored(Any, json)).toEqual(json)
  })

  it("a shape is worked out once for a schema", () => {
    const schema = Schema.Struct({ a: Schema.Int })
    expect(Shape.of(schema)).toBe(Shape.of(schema))
  })
})
