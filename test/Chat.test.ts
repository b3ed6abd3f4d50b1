/** A conversation: the messages that a program writes, and what the events of an answer add up to. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Chunk, Effect, Exit, Stream } from "effect"
import * as FastCheck from "effect/FastCheck"
import * as Chat from "../src/Chat.js"

const text = (text: string): Chat.Event => ({ _tag: "TextDelta", text })
const reasoning = (text: string): Chat.Event => ({ _tag: "ReasoningDelta", text })
const toolCall = (id: string, input: unknown): Chat.Event => ({ _tag: "ToolCall", id, name: "get", input })
const finish = (more: Partial<Chat.Finish> = {}): Chat.Finish => ({
  _tag: "Finish",
  reason: "stop",
  rawReason: "stop",
  usage: Chat.unknownUsage,
  model: "m",
  id: "answer-1",
  ...more
})

describe("messages", () => {
  it("have a role and content", () => {
    expect(Chat.system("Be brief.")).toEqual({ role: "system", content: "Be brief." })
    expect(Chat.user("Hello")).toEqual({ role: "user", content: "Hello" })
    expect(Chat.assistant("Hi")).toEqual({ role: "assistant", content: "Hi" })
  })

  it("may have parts: text, and images by address or in base64", () => {
    const parts = [
      Chat.text("What is this?"),
      Chat.image({ url: "https://pictures.test/1.png" }),
      Chat.image({ base64: "AA==", mediaType: "image/png" })
    ]
    expect(Chat.user(parts)).toEqual({
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        { type: "image", source: { url: "https://pictures.test/1.png" } },
        { type: "image", source: { base64: "AA==", mediaType: "image/png" } }
      ]
    })
  })

  it("may end a cached prefix", () => {
    const cache = { cache: "1h" } as const
    expect(Chat.system("s", cache)).toMatchObject(cache)
    expect(Chat.user("u", cache)).toMatchObject(cache)
    expect(Chat.text("t", cache)).toMatchObject(cache)
    expect(Chat.image({ url: "https://pictures.test/1.png" }, cache)).toMatchObject(cache)
  })

  it("ignore an option that is undefined", () => {
    const cache = { cache: undefined }
    expect(Chat.system("s", cache)).toEqual(Chat.system("s"))
    expect(Chat.user("u", cache)).toEqual(Chat.user("u"))
    expect(Chat.assistant("a", { reasoning: undefined, toolCalls: undefined, replay: undefined })).toEqual(
      Chat.assistant("a")
    )
    const call = { id: "c1", name: "get" }
    expect(Chat.toolResult(call, 1, { isError: undefined })).toEqual(Chat.toolResult(call, 1))
  })

  it("of the assistant carry reasoning and tool calls", () => {
    const toolCalls = [{ id: "c1", name: "get", input: { a: 1 } }]
    expect(Chat.assistant("", { reasoning: "Hm", toolCalls })).toEqual({
      role: "assistant",
      content: "",
      reasoning: "Hm",
      toolCalls
    })
  })

  it("of the assistant may have parts, each with its own cache mark", () => {
    const parts = [Chat.text("It is blue.", { cache: "5m" }), Chat.text(" Mostly.")]
    expect(Chat.assistant(parts)).toEqual({ role: "assistant", content: parts })
  })
})

describe("a tool's result", () => {
  const call = { id: "c1", name: "get" }

  for (const [title, result, content] of [
    ["text stays text", "sunny", "sunny"],
    ["an object is JSON", { sky: "blue" }, '{"sky":"blue"}'],
    ["a number is JSON", 7, "7"],
    ["null is JSON", null, "null"],
    ["nothing at all is null", undefined, "null"]
  ] as const) {
    it(`${title}, under the call's id and name`, () => {
      expect(Chat.toolResult(call, result)).toEqual({ role: "tool", toolCallId: "c1", name: "get", content })
    })
  }

  it("may be an error", () => {
    expect(Chat.toolResult(call, "no such city", { isError: true })).toMatchObject({ isError: true })
  })
})

describe("a reply", () => {
  it("is the sum of its events", () => {
    const usage = { ...Chat.unknownUsage, inputTokens: 5, outputTokens: 3 }
    const events = [
      reasoning("H"),
      reasoning("m"),
      text("Hel"),
      { _tag: "ToolCallDelta", id: "c1", name: "get", delta: "{}" } as const,
      text("lo"),
      toolCall("c1", { a: 1 }),
      toolCall("c2", {}),
      finish({ reason: "tool-calls", rawReason: "tool_calls", usage })
    ]
    expect(Chat.reply(events)).toEqual({
      text: "Hello",
      reasoning: "Hm",
      toolCalls: [
        { id: "c1", name: "get", input: { a: 1 } },
        { id: "c2", name: "get", input: {} }
      ],
      reason: "tool-calls",
      rawReason: "tool_calls",
      usage,
      model: "m",
      id: "answer-1",
      refusal: undefined,
      message: {
        role: "assistant",
        content: "Hello",
        reasoning: "Hm",
        toolCalls: [
          { id: "c1", name: "get", input: { a: 1 } },
          { id: "c2", name: "get", input: {} }
        ]
      }
    })
  })

  it("has a message without fields for what is missing, so that it can be sent back as it is", () => {
    expect(Chat.reply([text("Hi"), finish()])?.message).toEqual({ role: "assistant", content: "Hi" })
    expect(Object.keys(Chat.reply([finish()])?.message ?? {})).toEqual(["role", "content"])
  })

  it("carries the replay and the refusal", () => {
    const replay = { protocol: "anthropic-messages", content: [{ type: "thinking", signature: "s" }] }
    const reply = Chat.reply([finish({ replay, refusal: "No." })])
    expect(reply?.message.replay).toBe(replay)
    expect(reply?.refusal).toBe("No.")
  })

  it("ends with Finish; whatever follows is ignored", () => {
    expect(Chat.reply([text("a"), finish(), text("b")])?.text).toBe("a")
  })

  it("is undefined without a Finish", () => {
    expect(Chat.reply([text("a"), toolCall("c1", {})])).toBeUndefined()
    expect(Chat.reply([])).toBeUndefined()
  })

  it.prop("has the same text however it was cut", [FastCheck.array(FastCheck.string())], ([pieces]) => {
    expect(Chat.reply([...pieces.map(text), finish()])?.text).toBe(pieces.join(""))
  })
})

describe("a stream of events", () => {
  it.effect("collect adds it up", () =>
    Effect.gen(function* () {
      const reply = yield* Chat.collect(Stream.make(text("a"), text("b"), finish()))
      expect(reply).toEqual(Chat.reply([text("a"), text("b"), finish()]))
    })
  )

  it.effect("collect fails as the stream fails", () =>
    Effect.gen(function* () {
      const broken = Stream.concat(Stream.make(text("a")), Stream.fail("cut"))
      expect(yield* Effect.flip(Chat.collect(broken))).toBe("cut")
    })
  )

  it.effect("collect dies if the stream ends without Finish", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Chat.collect(Stream.make(text("a"))))
      const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
      expect(Cause.isDie(cause)).toBe(true)
      expect(Cause.pretty(cause)).toContain("without a Finish event")
    })
  )

  it.effect("textOnly keeps only the text, piece by piece", () =>
    Effect.gen(function* () {
      const events = Stream.make(reasoning("Hm"), text("a"), toolCall("c1", {}), text(""), text("b"), finish())
      const pieces = yield* Stream.runCollect(Chat.textOnly(events))
      expect(Chunk.toReadonlyArray(pieces)).toEqual(["a", "", "b"])
    })
  )

  it("unknownUsage has no count", () => {
    expect(Object.values(Chat.unknownUsage)).toEqual(Array.from({ length: 5 }, () => undefined))
  })
})
