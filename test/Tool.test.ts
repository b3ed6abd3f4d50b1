/** Tools described by a schema: what the model is told, and a call whose arguments do not fit. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import { Chat, Provider, Tool } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { body } from "./protocol/Bodies.js"
import { mimo, whole } from "./Wire.js"

const Weather = Schema.Struct({
  city: Schema.String.annotations({ description: "by its English name" }),
  days: Schema.optional(Schema.Int),
  at: Schema.optional(Schema.Date)
})

const weather = Tool.make({ name: "weather", description: "of a city", parameters: Weather })

const call = (input: unknown): Chat.ToolCall => ({ id: "call-1", name: "weather", input })

describe("what the model is told", () => {
  it("is the JSON Schema of the encoded side", () => {
    expect(weather).toMatchObject({
      name: "weather",
      description: "of a city",
      parameters: {
        type: "object",
        required: ["city"],
        properties: { city: { type: "string", description: "by its English name" } },
        additionalProperties: false
      }
    })
  })

  it("has no description if none was given", () => {
    expect("description" in Tool.make({ name: "now", parameters: Weather })).toBe(false)
  })

  // Each wire requires `type: "object"` at the root, even for a tool without arguments and for a named schema.
  class Place extends Schema.Class<Place>("Place")({ city: Schema.String }) {}
  const roots: ReadonlyArray<readonly [name: string, schema: Chat.JsonSchema]> = [
    ["a struct", Tool.make({ name: "t", parameters: Schema.Struct({ city: Schema.String }) }).parameters],
    ["a struct without fields", Tool.make({ name: "t", parameters: Schema.Struct({}) }).parameters],
    ["a class", Tool.make({ name: "t", parameters: Place }).parameters],
    [
      "a struct with an identifier",
      Tool.make({ name: "t", parameters: Weather.annotations({ identifier: "Weather" }) }).parameters
    ],
    [
      "a record",
      Tool.make({ name: "t", parameters: Schema.Record({ key: Schema.String, value: Schema.Int }) }).parameters
    ]
  ]
  for (const [name, schema] of roots) {
    it(`${name} is an object at its root`, () => {
      expect(schema).toMatchObject({ type: "object" })
      expect(schema).not.toHaveProperty("$ref")
      expect(schema).not.toHaveProperty("$schema")
    })
  }

  it("of a named schema includes what the name stands for", () => {
    const { parameters } = Tool.make({ name: "t", parameters: Place })
    expect(parameters).toMatchObject({ required: ["city"], properties: { city: { type: "string" } } })
  })
})

describe("a call", () => {
  it("that fits is decoded", () => {
    const decoded = weather.decode(call({ city: "London", days: 2, at: "2026-01-02T00:00:00Z" }))
    expect(decoded).toEqual(Either.right({ city: "London", days: 2, at: new Date("2026-01-02T00:00:00Z") }))
  })

  it("with fields too many is decoded without them", () => {
    expect(weather.decode(call({ city: "London", mood: "fine" }))).toEqual(Either.right({ city: "London" }))
  })

  const misfits: ReadonlyArray<readonly [name: string, input: unknown, problems: ReadonlyArray<string>]> = [
    ["a field is missing", {}, ["city"]],
    ["two fields are wrong", { city: 7, days: 1.5 }, ["city", "days"]],
    ["a date is none", { city: "London", at: "tomorrow" }, ["at"]],
    ["the arguments are a text", "London", ["London"]],
    ["the arguments are nothing", null, ["null"]]
  ]
  for (const [name, input, problems] of misfits) {
    it(`is a misfit, and says where, when ${name}`, () => {
      const decoded = weather.decode(call(input))
      if (Either.isRight(decoded)) throw new Error("it was decoded")
      expect(decoded.left).toMatchObject({ _tag: "Misfit", call: call(input) })
      for (const problem of problems) expect(decoded.left.problem).toContain(problem)
      expect(decoded.left.message).toEqual({
        role: "tool",
        toolCallId: "call-1",
        name: "weather",
        content: `The arguments do not fit:\n${decoded.left.problem}`,
        isError: true
      })
    })
  }
})

describe("the words of a misfit", () => {
  const Booking = Schema.Struct({
    from: Schema.Struct({ city: Schema.NonEmptyString.pipe(Schema.brand("City")) }).annotations({ identifier: "From" }),
    seats: Schema.optionalWith(Schema.Int, { default: () => 1 })
  }).annotations({ identifier: "Booking" })

  const problemOf = <A, I>(parameters: Schema.Schema<A, I>, input: unknown): string => {
    const decoded = Tool.make({ name: "book", parameters }).decode({ id: "call-1", name: "book", input })
    return Either.isLeft(decoded) ? decoded.left.problem : "it was decoded"
  }

  class Place extends Schema.Class<Place>("Place")({ city: Schema.String }) {}

  const rows: ReadonlyArray<readonly [name: string, problem: string, words: string]> = [
    [
      "a line for each argument",
      problemOf(Booking, { from: {}, seats: "two" }),
      'from.city: missing\nseats: expected integer, got "two"'
    ],
    [
      "the deepest place, in the model's words",
      problemOf(Booking, { from: { city: 7 } }),
      "from.city: expected string of at least 1 character, got 7"
    ],
    ["no name of the program's classes", problemOf(Place, { town: "Rome" }), "city: missing"],
    ["the root", problemOf(Booking, "Rome"), 'expected object, got "Rome"'],
    [
      "one line for a union",
      problemOf(
        Schema.Union(Schema.Struct({ city: Schema.String }), Schema.Struct({ at: Schema.Struct({ zip: Schema.Int }) })),
        { at: { zip: "x" } }
      ),
      'at.zip: expected integer, got "x"'
    ]
  ]
  for (const [name, problem, words] of rows) {
    it(`are ${name}`, () => expect(problem).toBe(words))
  }

  it("are few, however many arguments are wrong", () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, "x"]))
    const lines = problemOf(Schema.Record({ key: Schema.String, value: Schema.Int }), many).split("\n")
    expect(lines).toHaveLength(17)
    expect(lines.at(-1)).toBe("and 9984 more")
  })

  it("say so of arguments that are nested too deep to be decoded", () => {
    interface Nested {
      readonly in?: Nested
    }
    const Nested: Schema.Schema<Nested> = Schema.Struct({
      in: Schema.optionalWith(
        Schema.suspend((): Schema.Schema<Nested> => Nested),
        { exact: true }
      )
    }).annotations({ identifier: "Nested" })
    const input: unknown = JSON.parse(`${'{"in":'.repeat(50_000)}{}${"}".repeat(50_000)}`)
    expect(problemOf(Nested, input)).toBe("nested too deep")
  })

  it("are not for what the schema itself throws: that is a defect", () => {
    const Broken = Schema.transform(Schema.String, Schema.String, {
      decode: () => {
        throw new Error("broken")
      },
      encode: (text) => text
    })
    expect(() => problemOf(Schema.Struct({ city: Broken }), { city: "Rome" })).toThrow("broken")
  })
})

describe("the result of a call", () => {
  const now = Tool.make({ name: "now", parameters: Schema.Struct({}), success: Schema.Struct({ at: Schema.Date }) })

  it("is text as it is, and JSON otherwise", () => {
    expect(weather.result(call({}), "rain").content).toBe("rain")
    expect(weather.result(call({}), { celsius: 21 }).content).toBe('{"celsius":21}')
  })

  it("is encoded by its schema, where the tool has one", () => {
    expect(now.result({ id: "call-1", name: "now" }, { at: new Date(0) })).toEqual({
      role: "tool",
      toolCallId: "call-1",
      name: "now",
      content: '{"at":"1970-01-01T00:00:00.000Z"}'
    })
  })
})

describe("a misfit goes back to the model", () => {
  it.effect("on both wires", () =>
    Effect.gen(function* () {
      const wrong = call({ city: 7 })
      const decoded = weather.decode(wrong)
      if (Either.isRight(decoded)) return yield* Effect.dieMessage("it was decoded")
      const { message, problem } = decoded.left
      const messages = [Chat.user("hi"), Chat.assistant("", { toolCalls: [wrong] }), message]
      const content = `The arguments do not fit:\n${problem}`
      expect(yield* body("mimo", { messages, tools: [weather] })).toMatchObject({
        messages: [
          { role: "user" },
          { role: "assistant", tool_calls: [{ id: "call-1", function: { arguments: '{"city":7}' } }] },
          { role: "tool", tool_call_id: "call-1", name: "weather", content }
        ]
      })
      expect(yield* body("anthropic", { messages, tools: [weather] })).toMatchObject({
        messages: [
          { role: "user" },
          { role: "assistant", content: [{ type: "tool_use", id: "call-1", input: { city: 7 } }] },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "call-1", content, is_error: true }] }
        ]
      })
    })
  )

  const answered = (args: unknown, id: string) =>
    Gateway.json({
      id: "answer-1",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: null,
            reasoning_content: "hm",
            tool_calls: [{ id, type: "function", function: { name: "weather", arguments: JSON.stringify(args) } }]
          },
          finish_reason: "tool_calls"
        }
      ]
    })

  it.effect("and it corrects its call: three requests, and nothing failed", () =>
    Effect.gen(function* () {
      let messages: ReadonlyArray<Chat.Message> = [Chat.user("How is the weather in London?")]
      const outcomes: Array<string> = []
      for (;;) {
        const reply = yield* Provider.complete({ messages, tools: [weather] })
        const results = reply.toolCalls.map((call) =>
          Either.match(weather.decode(call), {
            onLeft: (misfit) => misfit.message,
            onRight: ({ city }) => Chat.toolResult(call, `rain in ${city}`)
          })
        )
        outcomes.push(...results.map((result) => (result.isError === true ? "misfit" : "fits")))
        messages = [...messages, reply.message, ...results]
        if (reply.toolCalls.length === 0) break
      }
      expect(outcomes).toEqual(["misfit", "fits"])
      const requests = yield* Gateway.requests
      expect(requests).toHaveLength(3)
      expect(requests[2]?.body).toMatchObject({
        messages: [
          { role: "user" },
          { role: "assistant", reasoning_content: "hm", tool_calls: [{ id: "call-1" }] },
          { role: "tool", tool_call_id: "call-1", content: expect.stringContaining("city") },
          { role: "assistant", reasoning_content: "hm", tool_calls: [{ id: "call-2" }] },
          { role: "tool", tool_call_id: "call-2", content: "rain in London" }
        ]
      })
    }).pipe(
      Effect.provide(mimo([answered({ town: "London" }, "call-1"), answered({ city: "London" }, "call-2"), whole]))
    )
  )
})
