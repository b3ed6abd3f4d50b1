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

  it("has no description where none was given", () => {
    expect("description" in Tool.make({ name: "now", parameters: Weather })).toBe(false)
  })

  // Each wire demands `type: "object"` at the root, also of a tool without arguments and of a schema with a name.
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

  it("of a schema with a name has all that is behind the name", () => {
    const { parameters } = Tool.make({ name: "t", parameters: Place })
    expect(parameters).toMatchObject({ required: ["city"], properties: { city: { type: "string" } } })
  })
})

describe("a call", () => {
  it("that fits is decoded", () => {
    const decoded = weather.decode(call({ city: "London", days: 2, at: "2026-01-02T00:00:00Z" }))
    expect(decoded).toEqual(Either.right({ city: "London", days: 2, at: new Date("2026-01-02T00:00:00Z") }))
  })

  it("with more than it needs is decoded without the rest", () => {
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

  it.effect("which then mends its call: three requests, and nothing failed", () =>
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
