/** The chat's words as schemas: they cross whole, and what must not come in does not. */
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Effect, Either, FastCheck as fc, ParseResult, Schema } from "effect"
import * as Chat from "../src/Chat.js"
import * as ChatSchema from "../src/ChatSchema.js"
import * as Tool from "../src/Tool.js"
import * as Cost from "./Cost.js"
import { runs } from "./Effort.js"

/** Over a wire and back. */
const cross = <A, I>(schema: Schema.Schema<A, I>, value: A): A =>
  Schema.decodeUnknownSync(schema)(JSON.parse(JSON.stringify(Schema.encodeSync(schema)(value))))

/** JSON has no negative zero. */
const positive = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(positive)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, positive(each)]))
      : Object.is(value, -0)
        ? 0
        : value

/** What is wrong, path by path. */
const wrong = <A, I>(schema: Schema.Schema<A, I>, value: unknown): string =>
  Either.match(Schema.decodeUnknownEither(schema)(value), {
    onLeft: (error) => ParseResult.TreeFormatter.formatErrorSync(error),
    onRight: () => "nothing"
  })

const unencodable = <A, I>(schema: Schema.Schema<A, I>, value: A): ReadonlyArray<PropertyKey> =>
  Either.match(Schema.encodeEither(schema)(value), {
    onLeft: (error) => ParseResult.ArrayFormatter.formatErrorSync(error)[0]?.path ?? [],
    onRight: () => ["nothing is wrong"]
  })

const all = {
  Replay: ChatSchema.Replay,
  ToolCall: ChatSchema.ToolCall,
  Part: ChatSchema.Part,
  Message: ChatSchema.Message,
  ToolDefinition: ChatSchema.ToolDefinition,
  Reasoning: ChatSchema.Reasoning,
  Request: ChatSchema.Request,
  FinishReason: ChatSchema.FinishReason,
  Usage: ChatSchema.Usage,
  Event: ChatSchema.Event,
  Reply: ChatSchema.Reply
}

/** Every field is there, so that a schema that lacks one loses it here. */
type Full<A> = { readonly [K in keyof A]-?: Exclude<A[K], undefined> }

const replay: Full<Chat.Replay> = { protocol: "p", content: [{ a: 1 }] }
const call: Full<Chat.ToolCall> = { id: "c-1", name: "weather", input: { days: [1, { deep: null }] }, replay }
const text: Full<Chat.TextPart> = { type: "text", text: "What is this?", cache: "5m" }
const image: Full<Chat.ImagePart> = { type: "image", source: { base64: "aGk=", mediaType: "image/png" }, cache: "1h" }
const linked: Chat.ImagePart = { type: "image", source: { url: "https://example.test/cat.png" } }
const system: Full<Chat.SystemMessage> = { role: "system", content: "Be brief.", cache: "1h" }
const user: Full<Chat.UserMessage> = { role: "user", content: [text, image, linked], cache: "5m" }
const assistant: Full<Chat.AssistantMessage> = {
  role: "assistant",
  content: [text],
  reasoning: "fur",
  toolCalls: [call],
  replay
}
const result: Full<Chat.ToolMessage> = {
  role: "tool",
  toolCallId: "c-1",
  name: "weather",
  content: [text, linked],
  isError: false,
  cache: "5m"
}
const tool: Full<Chat.ToolDefinition> = {
  name: "weather",
  description: "now",
  parameters: { type: "object", properties: {} },
  cache: "5m"
}

const request: Full<Chat.Request> = {
  messages: [system, user, assistant, result],
  model: "m",
  tools: [tool],
  toolChoice: { name: "weather" },
  maxTokens: 10,
  temperature: 0,
  topP: 0.5,
  stop: ["."],
  seed: 7,
  reasoning: { effort: "low" },
  output: { name: "o", schema: { type: "object" } },
  user: "u",
  extra: { top_k: 5, nested: { a: [true] } }
}

const usage: Chat.Usage = { ...Chat.unknownUsage, inputTokens: 3 }
const finish: Chat.Finish = { _tag: "Finish", reason: "stop", rawReason: "stop", usage, model: undefined, id: "r" }
const whole: Full<Chat.Finish> = { ...finish, model: "m", id: "r", refusal: "no", replay }

const events: ReadonlyArray<Chat.Event> = [
  { _tag: "TextDelta", text: "Hi \ud83d\ude00 \ud800" },
  { _tag: "ReasoningDelta", text: "because" },
  { _tag: "ToolCallDelta", id: "c-1", name: "weather", delta: '{"ci' },
  { _tag: "ToolCall", ...call },
  whole
]

describe("what crosses is the same on the other side", () => {
  it("a request with every field", () => {
    expect(cross(ChatSchema.Request, request)).toStrictEqual(request)
  })

  it("a request with the least", () => {
    expect(cross(ChatSchema.Request, { messages: [] })).toStrictEqual({ messages: [] })
  })

  it("each event, and the reply that they add up to", () => {
    expect(cross(Schema.Array(ChatSchema.Event), events)).toStrictEqual(events)
    const reply = Chat.reply(events)
    if (reply === undefined) throw new Error("these events have a Finish")
    expect(cross(ChatSchema.Reply, reply)).toStrictEqual(reply)
    expect(cross(ChatSchema.Message, reply.message)).toStrictEqual(reply.message)
  })

  it("what is undefined and required is undefined again, and what is absent stays absent", () => {
    expect(cross(ChatSchema.Usage, Chat.unknownUsage)).toStrictEqual(Chat.unknownUsage)
    expect(cross(ChatSchema.ToolCall, { id: "c", name: "n", input: undefined })).toStrictEqual({
      id: "c",
      name: "n",
      input: undefined
    })
    expect(JSON.stringify(Schema.encodeSync(ChatSchema.Event)(finish))).not.toContain("model")
    expect(Object.keys(cross(ChatSchema.Message, Chat.user("hi")))).toEqual(["role", "content"])
    expect(cross(ChatSchema.Message, { ...Chat.user("hi"), cache: undefined })).toStrictEqual(Chat.user("hi"))
  })

  it("structured clones keep an undefined, which is read as none", () => {
    const cloned: unknown = structuredClone(finish)
    expect(Schema.decodeUnknownSync(ChatSchema.Event)(cloned)).toStrictEqual(finish)
  })

  for (const [name, schema] of Object.entries(all)) {
    it(`any ${name}`, () => {
      const each: Schema.Schema<unknown, unknown> = Schema.asSchema(schema as Schema.Schema<unknown, unknown>)
      fc.assert(
        fc.property(Arbitrary.make(each), (value) => {
          const crossed = cross(each, value)
          expect(positive(crossed)).toEqual(positive(value))
          expect(cross(each, crossed)).toStrictEqual(crossed)
        }),
        { numRuns: runs(60) }
      )
    })
  }

  it("a tool of Tool.make, as its definition", () => {
    const parameters = Schema.Struct({ city: Schema.String })
    const tool = Tool.make({ name: "weather", description: "now", parameters })
    const [definition] = cross(ChatSchema.Request, { messages: [], tools: [tool] }).tools ?? []
    expect(definition).toStrictEqual({ name: "weather", description: "now", parameters: tool.parameters })
  })
})

describe("what comes in is refused", () => {
  const hi = { role: "user", content: "hi" }
  for (const [title, schema, value, says] of [
    ["a role that there is not", ChatSchema.Message, { role: "root", content: "hi" }, "role"],
    ["no role", ChatSchema.Message, { content: "hi" }, "role"],
    ["a tag that there is not", ChatSchema.Event, { _tag: "Delta", text: "hi" }, "_tag"],
    ["a message without its content", ChatSchema.Message, { role: "user" }, "content"],
    ["a content that is null", ChatSchema.Message, { role: "user", content: null }, "content"],
    ["a part of no type", ChatSchema.Message, { role: "user", content: [{ text: "hi" }] }, "type"],
    [
      "a picture where a model speaks",
      ChatSchema.Message,
      { role: "assistant", content: [Chat.image({ url: "u" })] },
      ""
    ],
    ["a system message of parts", ChatSchema.Message, { role: "system", content: [Chat.text("hi")] }, "content"],
    [
      "a role that is inherited",
      ChatSchema.Message,
      JSON.parse('{"__proto__":{"role":"user","content":"hi"}}'),
      "role"
    ],
    ["a tool result without its call", ChatSchema.Message, { role: "tool", name: "n", content: "" }, "toolCallId"],
    ["a request without messages", ChatSchema.Request, {}, "messages"],
    ["messages that are no list", ChatSchema.Request, { messages: hi }, "messages"],
    ["a limit that is a text", ChatSchema.Request, { messages: [hi], maxTokens: "10" }, "maxTokens"],
    [
      "a limit without an end",
      ChatSchema.Request,
      { messages: [hi], maxTokens: Number.POSITIVE_INFINITY },
      "maxTokens"
    ],
    ["an effort that there is not", ChatSchema.Request, { messages: [hi], reasoning: { effort: "huge" } }, "effort"],
    ["extra that is a list", ChatSchema.Request, { messages: [hi], extra: [1] }, "extra"],
    ["a count that is null", ChatSchema.Usage, { inputTokens: null }, "inputTokens"],
    ["a finish without usage", ChatSchema.Event, { _tag: "Finish", reason: "stop", rawReason: "" }, "usage"],
    ["nothing", ChatSchema.Request, null, ""],
    ["a text", ChatSchema.Event, "hi", ""]
  ] as const) {
    it(title, () => {
      const problem = wrong(schema as Schema.Schema<unknown, unknown>, value)
      expect(problem).not.toBe("nothing")
      expect(problem).toContain(says)
    })
  }

  it("an input that is nested deeper than any tool's, with a path and without a defect", () => {
    const nested = (depth: number) => JSON.parse(`${"[".repeat(depth)}1${"]".repeat(depth)}`)
    expect(wrong(ChatSchema.ToolCall, { ...call, input: nested(900) })).toBe("nothing")
    expect(wrong(ChatSchema.ToolCall, { ...call, input: nested(5000) })).toContain("nested too deep")
    expect(cross(ChatSchema.ToolCall, { ...call, input: nested(900) }).input).toStrictEqual(nested(900))
  })
})

describe("what comes in is read without trust", () => {
  const evil =
    '{"a":1,"__proto__":{"admin":true},"b":{"constructor":{"prototype":{"admin":true}},"c":[{"__proto__":1}]}}'

  it("fields that nobody knows are dropped", () => {
    const value = { role: "user", content: [{ type: "text", text: "hi", colour: "red" }], seen: true }
    expect(Schema.decodeUnknownSync(ChatSchema.Message)(value)).toStrictEqual(Chat.user([Chat.text("hi")]))
  })

  it("no __proto__ and no constructor comes through, wherever a value is handed on whole", () => {
    const clean = { a: 1, b: { c: [{}] } }
    const replay = { protocol: "p", content: JSON.parse(evil) }
    const decoded = Schema.decodeUnknownSync(ChatSchema.Request)({
      messages: [{ role: "assistant", content: "", toolCalls: [{ ...call, input: JSON.parse(evil), replay }], replay }],
      tools: [{ name: "n", parameters: JSON.parse(evil) }],
      output: { schema: JSON.parse(evil) },
      extra: JSON.parse(evil)
    })
    const expected: Chat.Request = {
      messages: [
        Chat.assistant("", {
          toolCalls: [{ ...call, input: clean, replay: { protocol: "p", content: clean } }],
          replay: { protocol: "p", content: clean }
        })
      ],
      tools: [{ name: "n", parameters: clean }],
      output: { schema: clean },
      extra: clean
    }
    expect(decoded).toStrictEqual(expected)
    expect(JSON.stringify(decoded)).not.toMatch(/__proto__|constructor/)
    const { extra } = decoded
    expect(Object.getPrototypeOf(extra)).toBe(Object.prototype)
    expect(extra).not.toHaveProperty("admin")
  })

  it("the value that came is not changed", () => {
    const value = { ...call, input: JSON.parse(evil) }
    Schema.decodeUnknownSync(ChatSchema.ToolCall)(value)
    expect(JSON.stringify(value.input)).toBe(evil)
  })
})

describe("what JSON cannot carry is refused before it is sent, with its path", () => {
  class Point {
    constructor(readonly x: number) {}
  }
  const circle: Record<string, unknown> = {}
  circle["self"] = { circle }
  const shared = { a: 1 }

  for (const [title, value] of [
    ["a number that is none", Number.NaN],
    ["a number without an end", Number.NEGATIVE_INFINITY],
    ["a bigint", 1n],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a date", new Date(0)],
    ["a map", new Map([[1, 2]])],
    ["an instance of a class", new Point(1)],
    ["an undefined in a list", [undefined]],
    ["a hole in a list", new Array(3)],
    ["a circle", circle]
  ] as const) {
    it(title, () => {
      const path = unencodable(ChatSchema.ToolCall, { ...call, input: { deep: [value] } })
      expect(path.slice(0, 3)).toEqual(["input", "deep", 0])
    })
  }

  it("a temperature that is no number, a count without an end", () => {
    expect(unencodable(ChatSchema.Request, { messages: [], temperature: Number.NaN })).toEqual(["temperature"])
    const endless = { ...usage, outputTokens: Number.POSITIVE_INFINITY }
    expect(unencodable(ChatSchema.Usage, endless)).toEqual(["outputTokens"])
  })

  it("but not an undefined field, an object without a prototype, or one that occurs twice", () => {
    const bare = Object.assign(Object.create(null), { b: 1 })
    const input = { a: undefined, bare, twice: [shared, shared] }
    expect(cross(ChatSchema.ToolCall, { ...call, input }).input).toStrictEqual({
      bare: { b: 1 },
      twice: [{ a: 1 }, { a: 1 }]
    })
  })
})

describe("a long history", () => {
  const long = (messages: number): Chat.Request => ({
    messages: Array.from({ length: messages / 4 }, () => request.messages).flat()
  })

  it("of 10,000 messages crosses", () => {
    expect(cross(ChatSchema.Request, long(10_000))).toStrictEqual(long(10_000))
  })

  it("takes time in proportion to its length", () => {
    const decode = Schema.decodeUnknownSync(ChatSchema.Request)
    const encode = Schema.encodeSync(ChatSchema.Request)
    const [small, large] = [long(2_500), long(10_000)]
    expect(
      Cost.growth(
        () => decode(encode(small)),
        () => decode(encode(large))
      )
    ).toBeLessThan(8)
  })

  it("with an input of a megabyte takes time in proportion, too", () => {
    const wide = (fields: number): Chat.ToolCall => ({
      ...call,
      input: Object.fromEntries(Array.from({ length: fields }, (_, i) => [`field${i}`, { i, text: "x".repeat(20) }]))
    })
    const encode = Schema.encodeSync(ChatSchema.ToolCall)
    const [small, large] = [wide(5_000), wide(20_000)]
    expect(
      Cost.growth(
        () => encode(small),
        () => encode(large)
      )
    ).toBeLessThan(8)
  })
})

describe("the schemas within schemas", () => {
  it.effect("compose: in a struct, in a list, as JSON text", () =>
    Effect.gen(function* () {
      const Row = Schema.parseJson(Schema.Struct({ at: Schema.Date, history: Schema.Array(ChatSchema.Message) }))
      const row = { at: new Date(0), history: request.messages }
      const text = yield* Schema.encode(Row)(row)
      expect(yield* Schema.decode(Row)(text)).toStrictEqual(row)
    })
  )
})
