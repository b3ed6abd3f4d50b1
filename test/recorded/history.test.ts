/**
 * Recorded answers, appended to a history and sent again: the provider must get back what it demands. Through the
 * public presets, so that what is judged is the body of the next request.
 */
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import * as WireReader from "../../src/answer/WireReader.js"
import { Chat } from "../../src/index.js"
import * as AnthropicMessages from "../../src/protocol/AnthropicMessages.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as OpenAiResponses from "../../src/protocol/OpenAiResponses.js"
import * as Gateway from "../../src/testing/Gateway.js"
import * as Recording from "../conformance/Recording.js"
import { type Name, service } from "../protocol/Bodies.js"

const folder = fileURLToPath(new URL("../../../shared/recordings", import.meta.url))
const present = Recording.exists(folder)
if (!present) console.info("recorded.history: skipped, because there are no recordings in ../shared/recordings")

type Recorded = Recording.Recording & {
  readonly sequence?: { readonly id: string; readonly step: number; readonly of: number }
}
type Fields = { readonly [field: string]: unknown }

// ---------------------------------------------------------------------------------------------------------------------
// What was recorded, read a second time and in another way
// ---------------------------------------------------------------------------------------------------------------------

const answers: ReadonlyArray<Recorded> = present
  ? Recording.load(folder).filter(
      ({ expected, kind, status }) => kind !== undefined && kind !== "error" && status === 200 && !expected?.error
    )
  : []

const Json = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const json = Schema.decodeUnknownSync(Json)
const textOf = (recorded: Recorded) => new TextDecoder().decode(Recording.bytes(folder, recorded))
const isStream = (recorded: Recorded) => recorded.kind === "stream"

const Block = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Content = Schema.Struct({ content: Schema.Array(Block) })
const BlockEvent = Schema.Struct({
  type: Schema.Literal("content_block_start", "content_block_delta"),
  index: Schema.Int,
  content_block: Schema.optional(Block),
  delta: Schema.optional(Block)
})

/** The content blocks of an answer on Anthropic's wire. */
const recordedBlocks = (recorded: Recorded): ReadonlyArray<Fields> => {
  if (!isStream(recorded)) return Schema.decodeUnknownSync(Content)(json(textOf(recorded))).content
  const blocks: Array<Record<string, unknown>> = []
  for (const line of textOf(recorded).split(/\r?\n/)) {
    if (!line.startsWith("data:") || line.includes("[DONE]")) continue
    const event = Schema.decodeUnknownEither(BlockEvent)(json(line.slice("data:".length)))
    if (Either.isLeft(event)) continue
    const { content_block, delta, index } = event.right
    if (content_block !== undefined) blocks[index] = { ...content_block }
    const block = blocks[index]
    if (delta === undefined || block === undefined) continue
    for (const field of ["text", "thinking", "signature", "partial_json", "content"]) {
      const piece = delta[field]
      if (typeof piece === "string") block[field] = `${block[field] ?? ""}${piece}`
    }
  }
  return blocks.map(({ partial_json, ...block }) =>
    typeof partial_json === "string" && partial_json !== "" ? { ...block, input: JSON.parse(partial_json) } : block
  )
}

/** A call that was cut off does not count. */
const recordedCalls = (recorded: Recorded): ReadonlyArray<{ id: string | null; name: string; input: unknown }> =>
  (recorded.expected?.toolCalls ?? []).flatMap(({ argumentsJson, id, name }) => {
    const input = Schema.decodeUnknownEither(Schema.parseJson())(argumentsJson === "" ? "{}" : argumentsJson)
    return Either.isRight(input) ? [{ id, name, input: input.right }] : []
  })

// ---------------------------------------------------------------------------------------------------------------------
// The same, sent back
// ---------------------------------------------------------------------------------------------------------------------

const presetOf = ({ protocol, provider }: Recorded): Name =>
  protocol === "anthropic-messages"
    ? "anthropic"
    : provider === "mimo" || provider === "deepseek" || provider === "minimax"
      ? provider
      : "groq"

const replayed = (recorded: Recorded): Gateway.Answer => ({
  status: recorded.status,
  headers: {
    ...recorded.headers,
    "content-type": isStream(recorded) ? "text/event-stream" : "application/json"
  },
  body: [Recording.bytes(folder, recorded)]
})

/** What follows an answer: a result for each call, or another question. */
const next = (reply: Chat.Reply): ReadonlyArray<Chat.Message> =>
  reply.toolCalls.length === 0
    ? [Chat.user("go on")]
    : reply.toolCalls.map((call) => Chat.toolResult(call, `result of ${call.id}`))

const Body = Schema.Struct({ messages: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })

/** A conversation of these answers in order, up to the request that would follow the last: its messages. */
const converse = (steps: ReadonlyArray<Recorded>) =>
  Effect.gen(function* () {
    const [first] = steps
    if (first === undefined) return yield* Effect.dieMessage("nothing was recorded")
    const provider = yield* service(presetOf(first))
    let messages: ReadonlyArray<Chat.Message> = [Chat.user("hi")]
    const replies: Array<Chat.Reply> = []
    for (const recorded of steps) {
      const request = { messages }
      const reply = yield* isStream(recorded) ? Chat.collect(provider.stream(request)) : provider.complete(request)
      replies.push(reply)
      messages = [...messages, reply.message, ...next(reply)]
    }
    yield* Effect.exit(provider.complete({ messages }))
    const sent = (yield* Gateway.requests).at(-1)?.body
    return { replies, messages: (yield* Schema.decodeUnknown(Body)(sent)).messages }
  }).pipe(Effect.provide(Gateway.layer([...steps.map(replayed), Gateway.status(400)])))

// ---------------------------------------------------------------------------------------------------------------------
// What must go back
// ---------------------------------------------------------------------------------------------------------------------

/** The turn that MiMo and DeepSeek refuse without its reasoning, and that other hosts refuse with it. */
const openAiTurn = (recorded: Recorded, reply: Chat.Reply): Fields => {
  const { expected, provider } = recorded
  const think = provider === "minimax" ? expected?.inlineThink : undefined
  const calls = recordedCalls(recorded)
  const reasoning = expected?.reasoning ?? ""
  const wantsReasoning = (provider === "mimo" || provider === "deepseek") && (calls.length > 0 || reasoning !== "")
  return {
    role: "assistant",
    content: think === undefined ? (expected?.text ?? "") : (think.text ?? ""),
    ...(wantsReasoning ? { reasoning_content: reasoning } : undefined),
    ...(reply.message.replay === undefined ? undefined : { reasoning_details: reply.message.replay.content }),
    ...(calls.length === 0
      ? undefined
      : {
          tool_calls: calls.map(({ id, input, name }, index) => ({
            id: id ?? reply.toolCalls[index]?.id,
            type: "function",
            function: { name, arguments: JSON.stringify(input) }
          }))
        })
  }
}

/** Exactly the recorded blocks; where nothing is signed or the server's own, the text and the calls are enough. */
const anthropicTurn = (recorded: Recorded): Fields => {
  const blocks = recordedBlocks(recorded).filter((block) => block["type"] !== "text" || block["text"] !== "")
  const isPlain = blocks.every(({ type }) => type === "text" || type === "tool_use")
  const plain = ({ id, input, name, text, type }: Fields) =>
    type === "text" ? { type, text } : { type, id, name, input }
  return { role: "assistant", content: isPlain ? blocks.map(plain) : blocks }
}

const turnOf = (recorded: Recorded, reply: Chat.Reply): ReadonlyArray<Fields> => {
  const { content, replay, toolCalls } = reply.message
  // An empty turn is left out of what is sent.
  if (content === "" && toolCalls === undefined && replay === undefined) return []
  return [recorded.protocol === "anthropic-messages" ? anthropicTurn(recorded) : openAiTurn(recorded, reply)]
}

const nextOf = (recorded: Recorded, reply: Chat.Reply): ReadonlyArray<Fields> => {
  const isAnthropic = recorded.protocol === "anthropic-messages"
  if (reply.toolCalls.length === 0) {
    return [{ role: "user", content: isAnthropic ? [{ type: "text", text: "go on" }] : "go on" }]
  }
  if (isAnthropic) {
    const content = reply.toolCalls.map(({ id }) => ({
      type: "tool_result",
      tool_use_id: id,
      content: `result of ${id}`
    }))
    return [{ role: "user", content }]
  }
  return reply.toolCalls.map(({ id, name }) => ({
    role: "tool",
    tool_call_id: id,
    ...(recorded.provider === "mimo" ? { name } : undefined),
    content: `result of ${id}`
  }))
}

const first = (recorded: Recorded): Fields => ({
  role: "user",
  content: recorded.protocol === "anthropic-messages" ? [{ type: "text", text: "hi" }] : "hi"
})

/** The messages that must be sent after these answers. Anthropic's wire has the user's neighbouring turns in one. */
const wanted = (steps: ReadonlyArray<Recorded>, replies: ReadonlyArray<Chat.Reply>): ReadonlyArray<unknown> => {
  const turns: Array<Fields> = []
  for (const [index, recorded] of steps.entries()) {
    const reply = replies[index]
    if (reply === undefined) continue
    if (index === 0) turns.push(first(recorded))
    turns.push(...turnOf(recorded, reply), ...nextOf(recorded, reply))
  }
  return steps[0]?.protocol === "anthropic-messages" ? joined(turns) : turns
}

const joined = (turns: ReadonlyArray<Fields>): ReadonlyArray<Fields> => {
  const all: Array<Fields> = []
  for (const turn of turns) {
    const last = all.at(-1)
    if (last?.["role"] !== "user" || turn["role"] !== "user") all.push(turn)
    else all.splice(-1, 1, { role: "user", content: [last["content"], turn["content"]].flat() })
  }
  return all
}

const group = (recordings: ReadonlyArray<Recorded>, by: (recorded: Recorded) => string) => {
  const groups = new Map<string, Array<Recorded>>()
  for (const recorded of recordings) {
    const key = by(recorded)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [recorded])
    else group.push(recorded)
  }
  return groups
}

// ---------------------------------------------------------------------------------------------------------------------

it.skipIf(!present)("the recordings exist in ../shared/recordings; without them no history is replayed", () => {
  expect(answers.length).toBeGreaterThan(0)
})

const thinksOrCalls = ({ expected }: Recorded) =>
  (expected?.reasoning ?? "") !== "" || (expected?.toolCalls ?? []).length > 0 || expected?.inlineThink !== undefined

const compacts = (recorded: Recorded) =>
  recorded.protocol === "anthropic-messages" && recordedBlocks(recorded).some(({ type }) => type === "compaction")

describe.skipIf(!present)("recorded answers with tool calls, thinking or compactions", () => {
  const special = answers.filter((recorded) => thinksOrCalls(recorded) || compacts(recorded))
  for (const [name, recordings] of group(special, (one) => `${one.provider}, ${one.protocol}`)) {
    it.effect(`${name}: ${recordings.length} go back as the provider requires`, () =>
      Effect.forEach(recordings, (recorded) =>
        Effect.gen(function* () {
          const { messages, replies } = yield* converse([recorded])
          expect([recorded.id, messages]).toEqual([recorded.id, wanted([recorded], replies)])
        })
      )
    )
  }
})

describe.skipIf(!present)("recorded sequences", () => {
  const sequences = group(
    answers.filter(({ sequence }) => sequence !== undefined),
    ({ sequence }) => sequence?.id ?? ""
  )
  for (const [id, recordings] of sequences) {
    const steps = [...recordings].sort((a, b) => (a.sequence?.step ?? 0) - (b.sequence?.step ?? 0))
    it.effect(`${id}, ${steps.length} steps: every turn is still complete in the last request`, () =>
      Effect.gen(function* () {
        expect(steps).toHaveLength(steps[0]?.sequence?.of ?? 0)
        const { messages, replies } = yield* converse(steps)
        expect(messages).toEqual(wanted(steps, replies))
      })
    )
  }
})

describe.skipIf(!present)("encode, then decode", () => {
  const protocols = {
    "openai-chat": OpenAiChat.make({ replaysReasoning: true }),
    "anthropic-messages": AnthropicMessages.make(),
    // There are no recordings of this wire so far; `decoders.property.test.ts` has what this test holds of the others.
    "openai-responses": OpenAiResponses.make()
  }

  const decoded = (recorded: Recorded): ReadonlyArray<Chat.Event> => {
    const protocol = protocols[recorded.protocol]
    if (isStream(recorded)) {
      const reader = WireReader.make(protocol.decoder())
      return [...reader.feed(Recording.bytes(folder, recorded)), ...reader.end()]
    }
    const events = WireReader.decodeBody(protocol.decoder(), JSON.stringify(json(textOf(recorded))))
    return "_tag" in events ? [] : events
  }

  const again = (recorded: Recorded, message: Chat.AssistantMessage): Chat.Reply | undefined => {
    const protocol = protocols[recorded.protocol]
    const { messages } = protocol.encode({ messages: [message] }, { model: "m", stream: false })
    const [turn] = Schema.decodeUnknownSync(Schema.Array(Block))(messages)
    const body =
      recorded.protocol === "openai-chat"
        ? { choices: [{ message: turn, finish_reason: "stop" }] }
        : { ...turn, stop_reason: "end_turn" }
    const events = WireReader.decodeBody(protocol.decoder(), JSON.stringify(body))
    return "_tag" in events ? undefined : Chat.reply(events)
  }

  for (const [name, recordings] of group(answers, (one) => `${one.provider}, ${one.protocol}`)) {
    it(`${name}: ${recordings.length} survive unchanged`, () => {
      for (const recorded of recordings) {
        const message = Chat.reply(decoded(recorded))?.message
        expect([recorded.id, message]).not.toEqual([recorded.id, undefined])
        // An empty turn has no body on Anthropic's wire; a history is repaired before it is sent.
        if (message === undefined || (message.content === "" && !message.toolCalls && !message.replay)) continue
        expect([recorded.id, again(recorded, message)?.message]).toEqual([recorded.id, message])
      }
    })
  }
})
