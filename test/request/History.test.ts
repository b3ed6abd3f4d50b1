/** Histories that a provider would answer with a 400, and what is sent instead. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { Chat } from "../../src/index.js"
import * as History from "../../src/request/History.js"
import * as Cost from "../Cost.js"
import * as Effort from "../Effort.js"
import { body } from "../protocol/Bodies.js"

const call = (id: string, name = "weather"): Chat.ToolCall => ({ id, name, input: { of: id } })
const asks = (...calls: ReadonlyArray<Chat.ToolCall>) => Chat.assistant("", { toolCalls: calls })
const says = (id: string, text = `result of ${id}`, name = "weather") => Chat.toolResult({ id, name }, text)
const lost = (id: string, name = "weather") =>
  Chat.toolResult({ id, name }, "The call was interrupted; there is no result.", { isError: true })
const told = (text: string) => Chat.user(`Result of an earlier call of weather: ${text}`)

const a = call("a")
const b = call("b")

/** Freezes the value and all that it contains, so that any change throws. */
const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}

type Messages = ReadonlyArray<Chat.Message>

/** What every wire requires, written a second time: the results after a turn are those of its calls. */
const isSound = (messages: Messages): boolean => {
  for (const [index, message] of messages.entries()) {
    if (message.role === "assistant") {
      const calls = (message.toolCalls ?? []).map(({ id }) => id)
      const after = messages.slice(index + 1)
      const next = after.findIndex(({ role }) => role !== "tool")
      const results = (next === -1 ? after : after.slice(0, next)) as ReadonlyArray<Chat.ToolMessage>
      if (JSON.stringify(results.map(({ toolCallId }) => toolCallId).sort()) !== JSON.stringify([...calls].sort()))
        return false
      const isSilent = [message.content].flat().every((part) => (typeof part === "string" ? part : part.text) === "")
      if (isSilent && calls.length === 0 && message.replay === undefined) return false
    }
    if (message.role === "tool" && !["assistant", "tool"].includes(messages[index - 1]?.role ?? "")) return false
  }
  return true
}

// ---------------------------------------------------------------------------------------------------------------------

describe("a sound history is returned as the same array", () => {
  const sound: ReadonlyArray<readonly [name: string, messages: Messages]> = [
    ["none", []],
    ["a question", [Chat.user("hi")]],
    ["a talk", [Chat.system("s"), Chat.user("hi"), Chat.assistant("hello"), Chat.user("bye")]],
    ["a call and its result", [Chat.user("hi"), asks(a), says("a"), Chat.assistant("done")]],
    ["a call and its result at the end", [Chat.user("hi"), asks(a), says("a")]],
    ["parallel calls, answered in another order", [asks(a, b), says("b"), says("a")]],
    ["the same id in two turns", [asks(a), says("a"), asks(a), says("a")]],
    [
      "a turn of signed thinking alone",
      [Chat.user("hi"), Chat.assistant("", { replay: { protocol: "x", content: [] } })]
    ],
    [
      "two calls of one id, both answered",
      [asks(call("same", "f"), call("same", "g")), says("same", "1"), says("same", "2")]
    ]
  ]
  for (const [name, messages] of sound) {
    it(name, () => {
      expect(isSound(messages)).toBe(true)
      expect(History.repair(deepFreeze(messages))).toBe(messages)
    })
  }
})

describe("a repair", () => {
  const broken: ReadonlyArray<readonly [name: string, messages: Messages, repaired: Messages]> = [
    ["a call without its result, at the end", [Chat.user("hi"), asks(a)], [Chat.user("hi"), asks(a), lost("a")]],
    [
      "a call without its result, before the user's next word",
      [Chat.user("hi"), asks(a), Chat.user("stop")],
      [Chat.user("hi"), asks(a), lost("a"), Chat.user("stop")]
    ],
    [
      "one of two calls without its result",
      [asks(a, b), says("b"), Chat.user("stop")],
      [asks(a, b), lost("a"), says("b"), Chat.user("stop")]
    ],
    ["a result without its call", [says("x", "rain"), Chat.user("hi")], [told("rain"), Chat.user("hi")]],
    [
      "a result of another call than the one before it",
      [asks(a), says("x", "rain")],
      [asks(a), lost("a"), told("rain")]
    ],
    ["a result after a user message", [asks(a), Chat.user("wait"), says("a")], [asks(a), says("a"), Chat.user("wait")]],
    [
      "a result after the model spoke again",
      [asks(a), Chat.assistant("well"), says("a", "rain")],
      [asks(a), lost("a"), Chat.assistant("well"), told("rain")]
    ],
    [
      "a result that came twice",
      [asks(a, b), says("a", "rain"), says("a", "snow"), says("b")],
      [asks(a, b), says("a", "rain"), says("b"), told("snow")]
    ],
    [
      "an empty turn of the assistant",
      [Chat.user("hi"), Chat.assistant(""), Chat.user("hi?")],
      [Chat.user("hi"), Chat.user("hi?")]
    ],
    [
      "a turn of nothing but empty parts",
      [Chat.user("hi"), Chat.assistant([Chat.text(""), Chat.text("")]), Chat.assistant([]), Chat.user("hi?")],
      [Chat.user("hi"), Chat.user("hi?")]
    ],
    ["a turn of nothing but reasoning", [Chat.user("hi"), Chat.assistant("", { reasoning: "hm" })], [Chat.user("hi")]],
    [
      "several turns, each in its own way",
      [Chat.system("s"), asks(a), says("a"), asks(b), Chat.user("no"), asks(a), Chat.user("yes"), says("a", "late")],
      [
        Chat.system("s"),
        asks(a),
        says("a"),
        asks(b),
        lost("b"),
        Chat.user("no"),
        asks(a),
        says("a", "late"),
        Chat.user("yes")
      ]
    ],
    [
      "an image in a result without its call",
      [
        {
          role: "tool",
          toolCallId: "x",
          name: "weather",
          content: [Chat.text("see"), Chat.image({ url: "https://e.org" })]
        }
      ],
      [
        Chat.user([
          Chat.text("Result of an earlier call of weather:"),
          Chat.text("see"),
          Chat.image({ url: "https://e.org" })
        ])
      ]
    ],
    [
      "two calls of one id: each keeps its own result",
      [asks(call("same", "f"), call("same", "g")), Chat.user("wait"), says("same", "1", "f"), says("same", "2", "g")],
      [asks(call("same", "f"), call("same", "g")), says("same", "1", "f"), says("same", "2", "g"), Chat.user("wait")]
    ]
  ]
  for (const [name, messages, repaired] of broken) {
    it(name, () => {
      const before = structuredClone(messages)
      expect(isSound(messages)).toBe(false)
      expect(History.repair(deepFreeze(messages))).toEqual(repaired)
      expect(isSound(repaired)).toBe(true)
      expect(messages).toEqual(before)
    })
  }

  it("the same message object in two turns keeps both results", () => {
    const turn = asks(a)
    const messages = [turn, says("a", "first"), Chat.user("again"), turn, Chat.user("wait"), says("a", "second")]
    expect(History.repair(messages)).toEqual([
      turn,
      says("a", "first"),
      Chat.user("again"),
      turn,
      says("a", "second"),
      Chat.user("wait")
    ])
  })
})

describe("what is sent", () => {
  it.effect("is the repaired history, on both wires, and the caller's is not changed", () =>
    Effect.gen(function* () {
      const messages = deepFreeze([Chat.user("hi"), asks(a), Chat.user("stop")])
      const gone = "The call was interrupted; there is no result."
      expect(yield* body("deepseek", { messages })).toMatchObject({
        messages: [
          { role: "user" },
          { role: "assistant", reasoning_content: "" },
          { role: "tool", tool_call_id: "a", content: gone },
          { role: "user", content: "stop" }
        ]
      })
      expect(yield* body("anthropic", { messages })).toMatchObject({
        messages: [
          { role: "user" },
          { role: "assistant" },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "a", content: gone, is_error: true },
              { type: "text", text: "stop" }
            ]
          }
        ]
      })
      expect(messages).toHaveLength(3)
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------

/** Histories with few ids, so that calls, results, duplicates and strays occur in every order. */
const ids = fc.constantFrom("a", "b", "c")
const message: fc.Arbitrary<Chat.Message> = fc.oneof(
  fc.string().map((text) => Chat.user(text)),
  fc.string().map((text) => Chat.system(text)),
  fc
    .record({ text: fc.constantFrom("", "text"), calls: fc.uniqueArray(ids) })
    .map(({ calls, text }) => Chat.assistant(text, { toolCalls: calls.map((id) => call(id)) })),
  fc.record({ id: ids, text: fc.string() }).map(({ id, text }) => says(id, text))
)
const history = fc.array(message, { maxLength: 12 }).map(deepFreeze)

const texts = (messages: Messages): ReadonlyArray<string> => messages.map((message) => String(message.content))

describe("whatever the history", () => {
  it("a repaired one is sound, and needs no further repair", () => {
    fc.assert(
      fc.property(history, (messages) => {
        const repaired = History.repair(messages)
        expect(isSound(repaired)).toBe(true)
        expect(History.repair(repaired)).toBe(repaired)
      }),
      { numRuns: Effort.runs(300) }
    )
  })

  it("a sound one is returned unchanged, and only a sound one", () => {
    fc.assert(
      fc.property(history, (messages) => {
        expect(History.repair(messages) === messages).toBe(isSound(messages))
      }),
      { numRuns: Effort.runs(300) }
    )
  })

  it("no text is lost, and no turn of the assistant except empty ones", () => {
    fc.assert(
      fc.property(history, (messages) => {
        const repaired = History.repair(messages)
        // A result whose call is gone gets an introduction.
        const left = texts(repaired).map((text) => text.replace(/^Result of an earlier call of \w+: /, ""))
        for (const text of texts(messages).filter((text) => text !== "")) {
          expect(left).toContain(text)
          left.splice(left.indexOf(text), 1)
        }
        const turns = (all: Messages) => all.filter((one) => one.role === "assistant")
        const full = turns(messages).filter((one) => one.content !== "" || (one.toolCalls ?? []).length > 0)
        expect(turns(repaired)).toEqual(full)
      }),
      { numRuns: Effort.runs(300) }
    )
  })
})

// ---------------------------------------------------------------------------------------------------------------------

describe("the cost of a repair is linear in the history", () => {
  const ids = (size: number) => Array.from({ length: size }, (_, i) => `c${i}`)
  const many = (size: number) => Chat.assistant("", { toolCalls: ids(size).map((id) => call(id)) })
  const late = (size: number) =>
    ids(size)
      .map((id) => says(id))
      .reverse()
  for (const [title, history] of [
    [
      "of questions and answers, with one call that was interrupted",
      (size) => [...ids(size / 2).flatMap((id) => [Chat.user(id), Chat.assistant(id)]), asks(a)]
    ],
    ["of calls that were all interrupted", (size) => ids(size).map((id) => asks(call(id)))],
    ["of results without their calls", (size) => ids(size).map((id) => says(id))],
    ["of one turn with many calls, answered in another order", (size) => [many(size), ...late(size)]],
    ["of one turn with many calls, answered late", (size) => [many(size), Chat.user("wait"), ...late(size)]],
    ["of one turn with many calls and no result", (size) => [many(size), Chat.user("stop")]],
    [
      "of many calls of one id",
      (size) => [asks(...Array.from({ length: size }, () => a)), Chat.user("stop"), says("a")]
    ],
    ["of many results of one id", (size) => [asks(a), ...ids(size).map(() => says("a"))]]
  ] as ReadonlyArray<readonly [string, (size: number) => Messages]>) {
    it(title, () => {
      const repair = (size: number) => {
        const messages = history(size)
        return () => History.repair(messages)
      }
      expect(Cost.growth(repair(4000), repair(16_000))).toBeLessThan(8)
    })
  }
})
