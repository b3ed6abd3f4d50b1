/** Recorded traffic through the real decoders, and the harness itself on recordings small enough to be checked by eye. */
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { check } from "../conformance/Conformance.js"
import * as Recording from "../conformance/Recording.js"

const folder = fileURLToPath(new URL("../../../shared/recordings", import.meta.url))
const present = Recording.exists(folder)
if (!present) console.info("conformance: skipped, because there are no recordings in ../shared/recordings")

const recordings = present ? Recording.load(folder) : []

const kindOf = ({ kind }: Recording.Recording) => kind ?? "error"

const groups = new Map<string, Array<Recording.Recording>>()
for (const recording of recordings) {
  const name = `${recording.provider}, ${recording.protocol}, ${kindOf(recording)}`
  groups.set(name, [...(groups.get(name) ?? []), recording])
}

describe.skipIf(!present)("recordings are read as they should be", () => {
  const count = { passed: 0, failed: 0 }
  for (const [name, group] of groups) {
    it(`${name}: ${group.length}`, () => {
      const mismatches = group.flatMap((recording) => {
        const found = check(recording, Recording.bytes(folder, recording))
        count[found.length === 0 ? "passed" : "failed"] += 1
        return found
      })
      expect(mismatches).toEqual([])
    })
  }
  afterAll(() => {
    console.info(`conformance: ${count.passed} passed, ${count.failed} failed`)
  })
})

it.skipIf(!present)(
  "the recordings are in ../shared/recordings; without them only the hand-written ones are read",
  () => {
    expect(recordings.length).toBeGreaterThan(400)
    expect(new Set(recordings.map(({ id }) => id)).size).toBe(recordings.length)
  }
)

// ---------------------------------------------------------------------------------------------------------------------
// The harness
// ---------------------------------------------------------------------------------------------------------------------

interface HandWritten {
  readonly recording: Recording.Recording
  readonly body: string
}

const openAiEvents: ReadonlyArray<unknown> = [
  { id: "a-1", choices: [{ index: 0, delta: { reasoning_content: "hm " }, finish_reason: null }] },
  { id: "a-1", choices: [{ index: 0, delta: { content: "世界" }, finish_reason: null }] },
  {
    id: "a-1",
    choices: [
      {
        index: 0,
        delta: { tool_calls: [{ index: 0, id: "c-1", function: { name: "f", arguments: '{"x":' } }] },
        finish_reason: null
      }
    ]
  },
  {
    id: "a-1",
    choices: [
      { index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: "1}" } }] }, finish_reason: "tool_calls" }
    ]
  },
  {
    choices: [],
    usage: {
      prompt_tokens: 5,
      completion_tokens: 4,
      total_tokens: 9,
      prompt_tokens_details: { cached_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 1 }
    }
  }
]

const anthropicBody = {
  type: "message",
  id: "msg-1",
  content: [
    { type: "thinking", thinking: "hm ", signature: "c2ln" },
    { type: "text", text: "世界" },
    { type: "tool_use", id: "c-1", name: "f", input: { x: 1 } }
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 3, cache_read_input_tokens: 2, cache_creation_input_tokens: 0, output_tokens: 4 }
}

const toolCalls = [{ id: "c-1", name: "f", argumentsJson: '{"x":1}' }]

const stream: HandWritten = {
  recording: {
    id: "stream",
    provider: "test",
    protocol: "openai-chat",
    kind: "stream",
    status: 200,
    headers: { "content-type": "text/event-stream" },
    expected: {
      text: "世界",
      reasoning: "hm ",
      toolCalls,
      finishReason: "tool_calls",
      usage: { input: 5, output: 4, total: 9, cached: 2, reasoning: 1 }
    }
  },
  body: [...openAiEvents.map((event) => JSON.stringify(event)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("")
}

const whole: HandWritten = {
  recording: {
    id: "whole",
    provider: "test",
    protocol: "anthropic-messages",
    kind: "response",
    status: 200,
    headers: { "content-type": "application/json" },
    expected: {
      text: "世界",
      reasoning: "hm ",
      toolCalls,
      finishReason: "tool_use",
      usage: { input: 3, output: 4, cached: 2, cacheWrite: 0, reasoning: null }
    }
  },
  body: JSON.stringify(anthropicBody)
}

const think: HandWritten = {
  recording: {
    id: "think",
    provider: "test",
    protocol: "openai-chat",
    kind: "response",
    status: 200,
    headers: {},
    expected: {
      text: "<think>hm</think>hello",
      reasoning: "",
      toolCalls: [],
      finishReason: "stop",
      usage: null,
      inlineThink: { reasoning: "hm", text: "hello", closed: true }
    }
  },
  body: JSON.stringify({ choices: [{ message: { content: "<think>hm</think>hello" }, finish_reason: "stop" }] })
}

const refusal: HandWritten = {
  recording: {
    id: "refusal",
    provider: "test",
    protocol: "openai-chat",
    kind: "error",
    status: 429,
    headers: {},
    expected: { error: { message: "slow down" }, tag: "Transient", reason: "RateLimited" }
  },
  body: JSON.stringify({ error: { message: "slow down", code: "rate_limit_exceeded" } })
}

const refusedStream: HandWritten = {
  recording: {
    id: "refused-stream",
    provider: "test",
    protocol: "anthropic-messages",
    kind: "stream",
    status: 200,
    headers: { "content-type": "text/event-stream" },
    expected: { text: "", reasoning: "", toolCalls: [], error: { message: "Overloaded" }, tag: "Transient" }
  },
  body: `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })}\n\n`
}

const handWritten = [stream, whole, think, refusal, refusedStream]

const bytes = (text: string) => new TextEncoder().encode(text)

/** The fields that do not match, each once. */
const mismatches = ({ body, recording }: HandWritten, expected: Recording.Expected = {}): ReadonlyArray<string> => {
  const found = check({ ...recording, expected: { ...recording.expected, ...expected } }, bytes(body))
  expect(found.every(({ id }) => id === recording.id)).toBe(true)
  return [...new Set(found.map(({ field }) => field))]
}

describe("the harness", () => {
  for (const one of handWritten) {
    it(`finds nothing in a ${one.recording.id} that is right`, () => {
      expect(mismatches(one)).toEqual([])
    })
  }

  const usage = { input: 5, output: 4, total: 9, cached: 2, reasoning: 1 }
  const wrong: ReadonlyArray<readonly [field: string, one: HandWritten, expected: Recording.Expected]> = [
    ["text", stream, { text: "世" }],
    ["reasoning", stream, { reasoning: "" }],
    ["toolCalls", stream, { toolCalls: [] }],
    ["toolCalls", stream, { toolCalls: [{ id: "c-2", name: "f", argumentsJson: '{"x":1}' }] }],
    ["toolCalls", stream, { toolCalls: [{ id: "c-1", name: "f", argumentsJson: '{"x":2}' }] }],
    ["finishReason", stream, { finishReason: "stop" }],
    ["usage", stream, { usage: null }],
    ["usage", stream, { usage: { ...usage, cached: 3 } }],
    ["usage", stream, { usage: { ...usage, reasoning: null } }],
    ["outcome", stream, { error: { message: "broken" } }],
    ["text", whole, { text: "" }],
    ["finishReason", whole, { finishReason: "end_turn" }],
    ["usage", whole, { usage: { input: 5, output: 4, cached: 2, cacheWrite: 0, reasoning: null } }],
    ["inlineThink", think, { inlineThink: { reasoning: "h", text: "mhello" } }],
    ["message", refusal, { error: { message: "speed up" } }],
    ["tag", refusal, { tag: "QuotaExceeded" }],
    ["reason", refusal, { reason: "Overloaded" }],
    ["tag", refusedStream, { tag: "InvalidRequest" }],
    ["outcome", refusedStream, { error: null }]
  ]
  for (const [index, [field, one, expected]] of wrong.entries()) {
    it(`finds a wrong ${field} in the ${one.recording.id} (${index + 1})`, () => {
      expect(mismatches(one, expected)).toContain(field)
    })
  }

  it("reads a short stream at once, cut at every 7th byte, and byte by byte", () => {
    const found = check(
      { ...stream.recording, expected: { ...stream.recording.expected, text: "" } },
      bytes(stream.body)
    )
    expect([...new Set(found.map(({ cut }) => cut))]).toEqual(["whole", "every 7th byte", "every byte"])
  })

  it("finds a stream that was cut off", () => {
    expect(mismatches({ ...stream, body: stream.body.slice(0, 200) })).toContain("outcome")
  })

  // A 200 that is neither an answer nor a refusal must not pass for a refusal.
  const garbled: HandWritten = {
    recording: {
      id: "garbled",
      provider: "test",
      protocol: "openai-chat",
      status: 200,
      headers: {},
      expected: { error: {} }
    },
    body: JSON.stringify({ choices: "none" })
  }

  it("finds a 200 that the decoder could not read, when it expects a refusal", () => {
    expect(mismatches(garbled)).toContain("outcome")
  })

  it("finds a 200 that is not JSON", () => {
    expect(mismatches({ ...whole, body: "<html><title>502</title></html>" })).toContain("outcome")
  })
})
