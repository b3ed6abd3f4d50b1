/** `completeObject`: an answer of a given shape, or `InvalidResponse` with what arrived instead. */
import { assert, describe, expect, it } from "@effect/vitest"
import { Context, Effect, Either, FastCheck as fc, Schema } from "effect"
import { Chat, Provider } from "../src/index.js"
import * as Output from "../src/Output.js"
import * as Gateway from "../src/testing/Gateway.js"
import { service } from "./protocol/Bodies.js"
import { backoff, failed, gaps, hello, mimo, patiently } from "./Wire.js"

const Place = Schema.Struct({ city: Schema.String, founded: Schema.DateFromString, size: Schema.NumberFromString })
const london = '{"city":"London","founded":"0047-01-01T00:00:00Z","size":"9"}'
const place = { city: "London", founded: new Date("0047-01-01T00:00:00Z"), size: 9 }

const answered = (content: string) =>
  Gateway.json({ id: "a-1", choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }] })

const ask = Provider.completeObject(Place, hello)

describe("an answer that fits", () => {
  const forms: ReadonlyArray<readonly [name: string, text: string]> = [
    ["bare", london],
    ["with white space around it", `\n  ${london}\n\n`],
    ["in a fenced block", `\`\`\`json\n${london}\n\`\`\``],
    ["in a fenced block without a word", `\`\`\`\n${london}\n\`\`\``],
    ["in a fenced block with CRLF", `\`\`\`json\r\n${london}\r\n\`\`\``],
    ["behind a sentence", `Here you are: ${london} Is there anything else?`],
    ["in a fenced block behind a sentence", `Sure!\n\n\`\`\`json\n${london}\n\`\`\`\nDone.`],
    ["behind braces that are no JSON", `{city} is {London}: ${london}`],
    ["with more fields than it needs", london.replace("{", '{"mood":"fine",')]
  ]
  for (const [name, text] of forms) {
    it.effect(`${name} is decoded`, () =>
      Effect.gen(function* () {
        expect((yield* ask).value).toEqual(place)
      }).pipe(Effect.provide(mimo([answered(text)])))
    )
  }

  it.effect("may need a service for its decoding", () => {
    class Country extends Context.Tag("test/Country")<Country, string>() {}
    const InCountry = Schema.transformOrFail(Schema.String, Schema.String, {
      decode: (city) => Effect.map(Country, (country) => `${city}, ${country}`),
      encode: (city) => Effect.succeed(city)
    })
    return Effect.gen(function* () {
      const schema = Schema.Struct({ city: InCountry })
      expect((yield* Provider.completeObject(schema, hello)).value).toEqual({ city: "London, England" })
    }).pipe(Effect.provideService(Country, "England"), Effect.provide(mimo([answered('{"city":"London"}')])))
  })

  it.effect("comes with the reply that it was read from: its usage, its id, its turn for the history", () =>
    Effect.gen(function* () {
      const { reply, value } = yield* ask
      expect(value).toEqual(place)
      expect(reply).toMatchObject({
        id: "a-1",
        reason: "stop",
        text: london,
        usage: { inputTokens: 5, outputTokens: 3, totalTokens: 8 },
        message: { role: "assistant", content: london }
      })
    }).pipe(Effect.provide(mimo([ended("stop", { content: london })])))
  )

  it.effect("loses keys that would pollute a prototype", () =>
    Effect.gen(function* () {
      const schema = Schema.Record({ key: Schema.String, value: Schema.Unknown })
      const { value } = yield* Provider.completeObject(schema, hello)
      expect(Object.keys(value)).toEqual(["a"])
    }).pipe(Effect.provide(mimo([answered('{"__proto__":{"x":1},"constructor":1,"a":1}')])))
  )
})

/** An answer with this message that ended for this reason, and what it cost. */
const ended = (finish_reason: string | null, message: object) =>
  Gateway.json({
    id: "a-1",
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
    usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }
  })

describe("an answer that is not the object is InvalidResponse with the reason", () => {
  const half = '{"city":"Lon'
  const wrong = '{"city":7,"founded":"0047-01-01T00:00:00Z","size":"9"}'
  const rows: ReadonlyArray<readonly [name: string, finish: string, content: string | null, facts: object]> = [
    ["half a JSON at the limit of tokens", "length", half, { reason: "Truncated" }],
    ["half a JSON in a block at the limit of tokens", "length", `\`\`\`json\n${half}`, { reason: "Truncated" }],
    ["nothing at the limit of tokens, all of them thought", "length", "", { reason: "Truncated" }],
    ["half a JSON at the content filter", "content_filter", half, { reason: "Filtered" }],
    ["nothing at the content filter", "content_filter", null, { reason: "Filtered" }],
    ["another value at the content filter", "content_filter", "{}", { reason: "Filtered" }],
    ["no JSON", "stop", "I would rather not.", { reason: "NotJson" }],
    ["half a JSON, and an end as any other", "stop", half, { reason: "NotJson" }],
    ["nothing", "stop", "", { reason: "NotJson" }],
    ["half a JSON behind a sentence, at the limit", "length", `Here: {"a":${london},"b":`, { reason: "Truncated" }],
    ["a field is missing", "stop", '{"city":"London"}', { reason: "SchemaMismatch", mismatch: "founded: missing" }],
    [
      "a field is of another type",
      "stop",
      wrong,
      { reason: "SchemaMismatch", mismatch: "city: expected string, got 7" }
    ],
    ["a whole JSON that does not fit, at the limit", "length", wrong, { reason: "SchemaMismatch" }]
  ]
  for (const [name, finish, content, facts] of rows) {
    it.effect(`${name}: one request, with the text, the finish reason and the cost`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ask)
        expect(error).toMatchObject({
          _tag: "InvalidResponse",
          attempts: 1,
          partial: content ?? "",
          emitted: false,
          status: 200,
          finishReason: finish,
          usage: { inputTokens: 5, outputTokens: 3, totalTokens: 8 },
          ...facts
        })
        expect(error.detail).toBeUndefined()
        expect(error.history).toHaveLength(1)
        expect(yield* Gateway.requests).toHaveLength(1)
      }).pipe(Effect.provide(mimo([ended(finish, { content }), answered(london)])))
    )
  }

  for (const [finish, content] of [
    ["stop", null],
    ["stop", "no"],
    ["content_filter", null],
    ["length", ""],
    ["stop", london]
  ] as const) {
    it.effect(`a refusal beside ${JSON.stringify(content)} with ${finish} is Refused, in the model's words`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ask)
        expect(error).toMatchObject({
          _tag: "InvalidResponse",
          reason: "Refused",
          refusal: "I cannot help with that.",
          finishReason: finish,
          partial: content ?? ""
        })
      }).pipe(Effect.provide(mimo([ended(finish, { content, refusal: "I cannot help with that." })])))
    )
  }

  for (const finish of ["length", "content_filter"]) {
    it.effect(`an object that is complete and fits is accepted, even if it ended with ${finish}`, () =>
      Effect.gen(function* () {
        expect((yield* ask).value).toEqual(place)
      }).pipe(Effect.provide(mimo([ended(finish, { content: london })])))
    )
  }

  it.effect("an empty refusal is ignored", () =>
    Effect.gen(function* () {
      expect((yield* ask).value).toEqual(place)
    }).pipe(Effect.provide(mimo([ended("stop", { content: london, refusal: "" })])))
  )

  for (const [stop_reason, reason] of [
    ["max_tokens", "Truncated"],
    ["refusal", "Filtered"],
    ["end_turn", "NotJson"]
  ] as const) {
    it.effect(`Anthropic's ${stop_reason} is ${reason}, and is kept in finishReason`, () =>
      Effect.gen(function* () {
        const provider = yield* service("anthropic")
        const error = yield* Effect.flip(Effect.provideService(ask, Provider.Provider, provider))
        expect(error).toMatchObject({ _tag: "InvalidResponse", reason, finishReason: stop_reason, partial: half })
        expect(error).toMatchObject({ usage: { outputTokens: 3 } })
      }).pipe(
        Effect.provide(
          Gateway.layer([
            Gateway.json({
              content: [{ type: "text", text: half }],
              stop_reason,
              usage: { input_tokens: 5, output_tokens: 3 }
            })
          ])
        )
      )
    )
  }

  it.effect("after a 503 it reports both requests", () =>
    Effect.gen(function* () {
      const error = yield* patiently(Effect.flip(ask))
      expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 2, partial: "{}" })
      expect(error.history.map(({ reason, status }) => [status, reason])).toEqual([
        [503, "Overloaded"],
        [200, "InvalidResponse"]
      ])
      expect(yield* gaps).toEqual([backoff(1)])
    }).pipe(Effect.provide(mimo([failed(503), answered("{}"), answered(london)])))
  )
})

describe("what is asked for", () => {
  const schema = {
    type: "object",
    required: ["city"],
    properties: { city: { type: "string" } },
    additionalProperties: false
  }
  const Short = Schema.Struct({ city: Schema.String })
  const reply = {
    openai: answered('{"city":"London"}'),
    anthropic: Gateway.json({ content: [{ type: "text", text: '{"city":"London"}' }], stop_reason: "end_turn" })
  }
  const wanted = {
    openai: { response_format: { type: "json_schema", json_schema: { name: "output", schema, strict: true } } },
    anthropic: { output_config: { format: { type: "json_schema", schema } } }
  }
  for (const name of ["openai", "anthropic"] as const) {
    it.effect(`is the schema: ${name}`, () =>
      Effect.gen(function* () {
        const provider = yield* service(name)
        const object = Provider.completeObject(Short, hello)
        const { value } = yield* Effect.provideService(object, Provider.Provider, provider)
        expect(value).toEqual({ city: "London" })
        const [request] = yield* Gateway.requests
        expect(request?.body).toMatchObject(wanted[name])
      }).pipe(Effect.provide(Gateway.layer([reply[name]])))
    )
  }

  it.effect("is what the request says, if it says anything", () =>
    Effect.gen(function* () {
      const provider = yield* service("openai")
      for (const output of ["json", undefined] as const) {
        const object = Provider.completeObject(Short, { ...hello, messages: [Chat.user("as JSON")], output })
        yield* Effect.provideService(object, Provider.Provider, provider)
      }
      const formats = (yield* Gateway.requests).map(({ body }) => body)
      expect(formats[0]).toMatchObject({ response_format: { type: "json_object" } })
      expect(formats[1]).toMatchObject(wanted.openai)
    }).pipe(Effect.provide(Gateway.layer([reply.openai, reply.openai])))
  )
})

/** A reply with this text and an ordinary end. */
const replied = (text: string): Chat.Reply => {
  const finish = { _tag: "Finish", reason: "stop", rawReason: "stop", usage: Chat.unknownUsage } as const
  const reply = Chat.reply([
    { _tag: "TextDelta", text },
    { ...finish, model: undefined, id: undefined }
  ])
  assert(reply !== undefined)
  return reply
}

/** The line that says where the value does not fit. */
const mismatch = (schema: Schema.Schema.AnyNoContext, value: unknown): string => {
  const fault = Effect.runSync(Effect.flip(Output.decode(schema)(replied(JSON.stringify(value)))))
  assert(fault._tag === "Malformed" && fault.reason === "SchemaMismatch" && fault.mismatch !== undefined)
  return fault.mismatch
}

describe("a mismatch is one line: a path, what was expected, what arrived", () => {
  class Item extends Schema.Class<Item>("ShopItem")({ price: Schema.Number, tag: Schema.optional(Schema.String) }) {}
  interface Tree {
    readonly leaf: string
    readonly next?: Tree | undefined
  }
  const Tree: Schema.Schema<Tree> = Schema.Struct({
    leaf: Schema.String,
    next: Schema.optional(Schema.suspend(() => Tree))
  })
  const UserId = Schema.String.pipe(Schema.brand("UserId"))
  const Short = Schema.String.pipe(Schema.filter((text) => text.length < 4))
  const Span = Schema.Struct({ from: Schema.Number, to: Schema.Number }).pipe(
    Schema.filter(({ from, to }) => from <= to || { path: ["to"], message: "must not be before from" })
  )
  const Shape = Schema.Union(
    Schema.Struct({ kind: Schema.Literal("circle"), radius: Schema.Number }),
    Schema.Struct({ kind: Schema.Literal("square"), side: Schema.Number })
  )

  const rows: ReadonlyArray<readonly [schema: Schema.Schema.AnyNoContext, value: unknown, line: string]> = [
    [Schema.Struct({ city: Schema.String }), { city: 42 }, "city: expected string, got 42"],
    [Schema.Struct({ name: Schema.String }), {}, "name: missing"],
    [
      Schema.Struct({ items: Schema.Array(Item) }),
      { items: [{ price: 1 }, { price: 2 }, { price: "12" }] },
      'items[2].price: expected number, got "12"'
    ],
    [Item, "none", 'expected object, got "none"'],
    [Item, [], "expected object, got array"],
    [Item, { price: 1, tag: 2 }, "tag: expected string, got 2"],
    [Schema.Array(Schema.Int), [1, 2.5], "[1]: expected integer, got 2.5"],
    [Schema.Array(Schema.Int), { a: 1 }, "expected array, got object"],
    [Schema.Struct({ a: Schema.NullOr(Schema.String) }), { a: true }, "a: expected string or null, got true"],
    [Schema.Struct({ a: Schema.Literal("x", "y") }), { a: "z" }, 'a: expected "x" or "y", got "z"'],
    [Schema.Struct({ a: Schema.Boolean }), { a: null }, "a: expected boolean, got null"],
    [Schema.Struct({ a: Schema.Date }), { a: "tomorrow" }, 'a: expected a valid Date, got "tomorrow"'],
    [
      Schema.Struct({ a: Schema.NumberFromString }),
      { a: "ten" },
      'a: expected string that decodes to number, got "ten"'
    ],
    [Schema.Struct({ a: Schema.NumberFromString }), { a: 10 }, "a: expected string, got 10"],
    [Schema.Struct({ a: Schema.NonEmptyString }), { a: "" }, 'a: expected string of at least 1 character, got ""'],
    [
      Schema.Struct({ a: Schema.String.pipe(Schema.length(2)) }),
      { a: "x" },
      'a: expected string of 2 characters, got "x"'
    ],
    [Schema.Struct({ a: Schema.Number.pipe(Schema.between(1, 5)) }), { a: 7 }, "a: expected number from 1 to 5, got 7"],
    [
      Schema.Struct({ a: Schema.Number.pipe(Schema.greaterThan(0), Schema.lessThan(1)) }),
      { a: 1 },
      "a: expected number above 0 and below 1, got 1"
    ],
    [Schema.Struct({ a: Schema.Positive }), { a: -1 }, "a: expected number above 0, got -1"],
    [
      Schema.Struct({ a: Schema.String.pipe(Schema.pattern(/^[a-z]+$/)) }),
      { a: "X" },
      'a: expected string that matches /^[a-z]+$/, got "X"'
    ],
    [
      Schema.Struct({ a: Schema.Array(Schema.String).pipe(Schema.minItems(2)) }),
      { a: ["x"] },
      "a: expected array of at least 2 items, got array"
    ],
    [Schema.Struct({ id: UserId }), { id: 7 }, "id: expected string, got 7"],
    [Schema.Struct({ a: Short }), { a: "long" }, 'a: expected valid string, got "long"'],
    [
      Schema.Struct({ a: Schema.String.pipe(Schema.filter(() => false, { message: () => "must be a capital" })) }),
      { a: "Leeds" },
      'a: must be a capital, got "Leeds"'
    ],
    [Schema.Struct({ span: Span }), { span: { from: 2, to: 1 } }, "span.to: must not be before from, got 1"],
    [Tree, { leaf: "a", next: { leaf: "b", next: { leaf: 3 } } }, "next.next.leaf: expected string, got 3"],
    [Shape, { kind: "square", side: "1" }, 'side: expected number, got "1"'],
    [Shape, { kind: "line" }, 'kind: expected "circle" or "square", got "line"'],
    [Schema.NullOr(Item), { price: "1" }, 'price: expected number, got "1"'],
    [Schema.Union(Schema.String, Item, Schema.Null), 7, "expected string, object or null, got 7"],
    [Schema.Record({ key: Schema.String, value: Schema.Int }), { "a b": "1" }, '["a b"]: expected integer, got "1"'],
    [Schema.Tuple(Schema.String, Schema.Int), ["a"], "[1]: missing"],
    [Schema.Tuple(Schema.String), ["a", "b"], "[1]: unexpected"],
    [Schema.Struct({ a: Schema.Struct({ b: Schema.Int }) }), { a: { b: [1] } }, "a.b: expected integer, got array"],
    [
      Schema.Struct({ kind: Schema.Enums({ Up: "up", Down: "down" }) }),
      { kind: "x" },
      'kind: expected "up" or "down", got "x"'
    ],
    [
      Schema.Struct({ a: Schema.TemplateLiteral("v", Schema.Number) }),
      { a: "x" },
      'a: expected string of a given form, got "x"'
    ]
  ]
  for (const [schema, value, line] of rows) {
    it(line, () => {
      expect(mismatch(schema, value)).toBe(line)
    })
  }

  it("is short and has no control characters, whatever arrived", () => {
    const nasty = `\u001b[31m\u0000\n\r\t\u0085\u2028\u202e${"x".repeat(1_000_000)}`
    const long = Schema.Struct({ [nasty.slice(0, 3000)]: Schema.String })
    const many = Schema.Literal(...Array.from({ length: 500 }, (_, i) => `choice-${i}`))
    const Wordy = Schema.String.pipe(Schema.filter(() => false, { message: () => `${nasty}\n└─ {` }))
    for (const line of [
      mismatch(Schema.Struct({ a: Schema.Int }), { a: nasty }),
      mismatch(Schema.Record({ key: Schema.String, value: Schema.Int }), { [nasty]: "x" }),
      mismatch(long, { [nasty.slice(0, 3000)]: 1 }),
      mismatch(Schema.Struct({ a: many }), { a: nasty }),
      mismatch(Schema.Struct({ a: Wordy }), { a: "x" }),
      mismatch(Schema.Struct({ a: Schema.Int }), { a: "😀".repeat(500) })
    ]) {
      expect(line.length).toBeLessThanOrEqual(200)
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
      expect(line).toMatch(/^.+: .+, got ("|1$)/)
    }
  })

  // Schemas recurse as deep as the value does. That must not become a defect.
  for (const depth of [1_000, 10_000, 100_000]) {
    it.effect(`of an answer nested ${depth} deep is an error, not a defect`, () =>
      Effect.gen(function* () {
        const text = `${'{"leaf":"a","next":'.repeat(depth)}{"leaf":3}${"}".repeat(depth)}`
        const fault = yield* Effect.flip(Output.decode(Tree)(replied(text)))
        expect(fault).toMatchObject({ _tag: "Malformed", reason: "SchemaMismatch" })
        expect(fault).toHaveProperty("mismatch", expect.stringMatching(/nested too deep|expected string, got 3$/))
      })
    )
  }

  it("of a deep value shows the end of the path", () => {
    const deep = (levels: number): unknown => (levels === 0 ? { leaf: 3 } : { leaf: "a", next: deep(levels - 1) })
    const line = mismatch(Tree, deep(200))
    expect(line.length).toBeLessThanOrEqual(200)
    expect(line).toMatch(/^….*next\.next\.leaf: expected string, got 3$/)
  })

  it("is one line without a printed type, whatever was asked for and whatever arrived", () => {
    const schemas = rows.map(([schema]) => schema)
    fc.assert(
      fc.property(fc.constantFrom(...schemas), fc.jsonValue(), (schema, value) => {
        const decoded = Effect.runSync(Effect.either(Output.decode(schema)(replied(JSON.stringify(value)))))
        if (Either.isRight(decoded)) return
        assert(decoded.left._tag === "Malformed" && decoded.left.mismatch !== undefined)
        expect(decoded.left.mismatch.length).toBeLessThanOrEqual(200)
        expect(decoded.left.mismatch).not.toMatch(
          /[\p{Cc}\u2028\u2029]|readonly|└|ShopItem|UserId|undefined|\bfilter\b/u
        )
      }),
      { numRuns: 2000 }
    )
  })
})

describe("the JSON Schema of a schema", () => {
  it("describes its encoded side, without an address", () => {
    expect(Output.jsonSchema(Schema.Struct({ a: Schema.NullOr(Schema.String), b: Schema.Literal("x", "y") }))).toEqual({
      type: "object",
      required: ["a", "b"],
      properties: { a: { anyOf: [{ type: "string" }, { type: "null" }] }, b: { type: "string", enum: ["x", "y"] } },
      additionalProperties: false
    })
  })

  it("of a class is an object at its root, because OpenAI accepts nothing else", () => {
    class City extends Schema.Class<City>("City")({ name: Schema.String }) {}
    expect(Output.jsonSchema(City)).toMatchObject({ type: "object", properties: { name: { type: "string" } } })
  })
})
