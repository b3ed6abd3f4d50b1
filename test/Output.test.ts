/** `completeObject`: an answer of a given shape, or `InvalidResponse` with what came instead. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Schema } from "effect"
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
    ["with more fields than it needs", london.replace("{", '{"mood":"fine",')]
  ]
  for (const [name, text] of forms) {
    it.effect(`${name} is decoded`, () =>
      Effect.gen(function* () {
        expect(yield* ask).toEqual(place)
      }).pipe(Effect.provide(mimo([answered(text)])))
    )
  }

  it.effect("may need a service to be decoded", () => {
    class Country extends Context.Tag("test/Country")<Country, string>() {}
    const InCountry = Schema.transformOrFail(Schema.String, Schema.String, {
      decode: (city) => Effect.map(Country, (country) => `${city}, ${country}`),
      encode: (city) => Effect.succeed(city)
    })
    return Effect.gen(function* () {
      const schema = Schema.Struct({ city: InCountry })
      expect(yield* Provider.completeObject(schema, hello)).toEqual({ city: "London, England" })
    }).pipe(Effect.provideService(Country, "England"), Effect.provide(mimo([answered('{"city":"London"}')])))
  })

  it.effect("loses keys that would pollute a prototype", () =>
    Effect.gen(function* () {
      const schema = Schema.Record({ key: Schema.String, value: Schema.Unknown })
      const value = yield* Provider.completeObject(schema, hello)
      expect(Object.keys(value)).toEqual(["a"])
    }).pipe(Effect.provide(mimo([answered('{"__proto__":{"x":1},"constructor":1,"a":1}')])))
  )
})

describe("an answer that does not fit is InvalidResponse, with its text", () => {
  const misfits: ReadonlyArray<readonly [name: string, text: string, facts: object]> = [
    [
      "a field is missing",
      '{"city":"London"}',
      { reason: "SchemaMismatch", mismatch: expect.stringContaining("founded") }
    ],
    [
      "a field is of another type",
      '{"city":7,"founded":"0047-01-01T00:00:00Z","size":"9"}',
      { reason: "SchemaMismatch", mismatch: expect.stringContaining("city") }
    ],
    ["no JSON", "I would rather not.", { reason: "NotJson" }],
    ["half a JSON", '{"city":"Lon', { reason: "NotJson" }],
    ["nothing", "", { reason: "NotJson" }]
  ]
  for (const [name, text, facts] of misfits) {
    it.effect(`${name}: one request`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(ask)
        expect(error).toMatchObject({
          _tag: "InvalidResponse",
          attempts: 1,
          partial: text,
          emitted: false,
          status: 200,
          ...facts
        })
        expect(error.detail).toBeUndefined()
        expect(error.history).toHaveLength(1)
        expect(yield* Gateway.requests).toHaveLength(1)
      }).pipe(Effect.provide(mimo([answered(text), answered(london)])))
    )
  }

  it.effect("after a 503 it tells of both requests", () =>
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
        expect(yield* Effect.provideService(object, Provider.Provider, provider)).toEqual({ city: "London" })
        const [request] = yield* Gateway.requests
        expect(request?.body).toMatchObject(wanted[name])
      }).pipe(Effect.provide(Gateway.layer([reply[name]])))
    )
  }

  it.effect("is what the request says, where it says something", () =>
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

describe("the JSON Schema of a schema", () => {
  it("is that of its encoded side, without an address", () => {
    expect(Output.jsonSchema(Schema.Struct({ a: Schema.NullOr(Schema.String), b: Schema.Literal("x", "y") }))).toEqual({
      type: "object",
      required: ["a", "b"],
      properties: { a: { anyOf: [{ type: "string" }, { type: "null" }] }, b: { type: "string", enum: ["x", "y"] } },
      additionalProperties: false
    })
  })

  it("of a class is an object at its root, because OpenAI takes no other", () => {
    class City extends Schema.Class<City>("City")({ name: Schema.String }) {}
    expect(Output.jsonSchema(City)).toMatchObject({ type: "object", properties: { name: { type: "string" } } })
  })
})
