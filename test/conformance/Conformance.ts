/** What the decoders read from a recording, compared with what a client must read. Pure. */

import * as WireReader from "../../src/answer/WireReader.js"
import * as Chat from "../../src/Chat.js"
import type * as Protocol from "../../src/Protocol.js"
import * as AnthropicMessages from "../../src/protocol/AnthropicMessages.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as OpenAiResponses from "../../src/protocol/OpenAiResponses.js"
import * as Classify from "../../src/refusal/Classify.js"
import * as Fault from "../../src/refusal/Fault.js"
import * as Refusal from "../../src/refusal/Refusal.js"
import type { Expected, Recording, Usage } from "./Recording.js"
import { tags } from "./Tags.js"

export interface Mismatch {
  readonly id: string
  /** How the bytes were cut. */
  readonly cut: string
  readonly field: string
  readonly expected: unknown
  readonly actual: unknown
}

type Protocols = { readonly [id in Recording["protocol"]]: Protocol.Protocol }

const protocols: Protocols = {
  "openai-chat": OpenAiChat.make(),
  "anthropic-messages": AnthropicMessages.make(),
  // There are no recordings of this wire so far.
  "openai-responses": OpenAiResponses.make()
}

/** The same if the dialect has `<think>`. */
const thinking: Protocols = { ...protocols, "openai-chat": OpenAiChat.make({ thinkTags: true }) }

/** Everything that does not match: nothing if the recording is read as it should be. */
export const check = (recording: Recording, bytes: Uint8Array): ReadonlyArray<Mismatch> => {
  const raw = new TextDecoder().decode(bytes)
  if (isStream(recording))
    return cuts(bytes).flatMap(([cut, chunks]) => checkRead(recording, cut, stream(recording, chunks), raw))
  if (recording.status >= 400) return checkRefusal(recording, recording.status, raw)
  const read = whole(recording, raw)
  return Fault.isFault(read.step) && read.step._tag === "Refused" && recording.kind !== "response"
    ? checkRefusal(recording, recording.status, raw)
    : checkRead(recording, "whole", read, raw)
}

const isStream = (recording: Recording): boolean =>
  recording.kind === "stream" ||
  (recording.status < 300 && /event-stream/.test(recording.headers["content-type"] ?? ""))

/** Whole, at every 7th byte, and byte by byte where that is affordable. */
const cuts = (bytes: Uint8Array): ReadonlyArray<readonly [string, ReadonlyArray<Uint8Array>]> => [
  ["whole", [bytes]],
  ["every 7th byte", every(7, bytes)],
  ...(bytes.length < 20 * 1024 ? [["every byte", every(1, bytes)] as const] : [])
]

const every = (size: number, bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))

interface Read {
  readonly events: ReadonlyArray<Chat.Event>
  readonly step: Protocol.Step
}

const stream = (recording: Recording, chunks: ReadonlyArray<Uint8Array>, known = protocols): Read => {
  const reader = WireReader.make(known[recording.protocol].decoder())
  const events = chunks.flatMap((chunk) => reader.feed(chunk)).concat(reader.end())
  return { events, step: reader.state() }
}

const whole = (recording: Recording, raw: string, known = protocols): Read => {
  const read = WireReader.decodeBody(known[recording.protocol].decoder(), raw)
  return Fault.isFault(read) ? { events: [], step: read } : { events: read, step: "done" }
}

const checkRead = (recording: Recording, cut: string, read: Read, raw: string): ReadonlyArray<Mismatch> => {
  const expected = recording.expected ?? { error: Fault.isFault(read.step) ? {} : null }
  const found: Array<Mismatch> = []
  const compare = (field: string, expected: unknown, actual: unknown) => {
    if (JSON.stringify(expected) !== JSON.stringify(actual))
      found.push({ id: recording.id, cut, field, expected, actual })
  }
  const finish = read.events.find((event) => event._tag === "Finish")
  compare("text", expected.text ?? "", joined(read.events, "TextDelta"))
  compare("reasoning", expected.reasoning ?? "", joined(read.events, "ReasoningDelta"))
  compare(
    "toolCalls",
    (expected.toolCalls ?? []).flatMap(parsedCall),
    read.events.flatMap((event) => takenCall(event, expected))
  )
  if (expected.error === undefined || expected.error === null) {
    compare("outcome", "done", Fault.isFault(read.step) ? read.step : read.step)
    compare("finishReason", expected.finishReason ?? "", finish?.rawReason)
    compare("usage", wireUsage(expected.usage, recording.protocol), usageOf(finish?.usage))
    const reply = Chat.reply(read.events)
    compare("reply", [expected.text ?? "", expected.reasoning ?? ""], [reply?.text, reply?.reasoning])
  } else {
    const fault = Fault.isFault(read.step) ? read.step : undefined
    compare("outcome", "Refused", fault?._tag)
    if (fault?._tag === "Refused") return [...found, ...checkRefusal(recording, recording.status, fault.body)]
  }
  if (expected.inlineThink !== undefined && cut !== "every byte")
    found.push(...checkThink(recording, cut, raw, expected.inlineThink))
  return found
}

/** The same with a dialect that knows `<think>`. */
const checkThink = (
  recording: Recording,
  cut: string,
  raw: string,
  expected: NonNullable<Expected["inlineThink"]>
): ReadonlyArray<Mismatch> => {
  const chunks = every(7, new TextEncoder().encode(raw))
  const { events } = isStream(recording) ? stream(recording, chunks, thinking) : whole(recording, raw, thinking)
  const actual = [joined(events, "ReasoningDelta"), joined(events, "TextDelta")]
  const wanted = [expected.reasoning, expected.text ?? ""]
  return JSON.stringify(actual) === JSON.stringify(wanted)
    ? []
    : [{ id: recording.id, cut, field: "inlineThink", expected: wanted, actual }]
}

const checkRefusal = (recording: Recording, status: number, body: string): ReadonlyArray<Mismatch> => {
  const raw = { provider: recording.provider, status, headers: recording.headers, body: body.slice(0, 4096), now: 0 }
  const key: Classify.Sender["key"] = {
    _tag: "Key",
    fingerprint: "00000000",
    authorize: (request) => request,
    digest: () => () => "",
    startsWith: () => false,
    isMadeOf: () => false,
    redact: (text) => text
  }
  const refused = { _tag: "Refused", body: raw.body } as const
  const error = Classify.classify(refused, raw, { source: "KEY", key, knownGood: false })
  const found: Array<Mismatch> = []
  const compare = (field: string, expected: unknown, actual: unknown) => {
    if (expected !== actual) found.push({ id: recording.id, cut: "whole", field, expected, actual })
  }
  const message = recording.expected?.error?.message
  // Markup and white space are no part of what a message says.
  if (typeof message === "string") compare("message", readAs(raw, message), Refusal.read(raw).message)
  const known = tags[recording.id]
  const tag = recording.expected?.tag ?? known?.tag
  const reason = recording.expected?.reason ?? known?.reason
  if (tag !== undefined) compare("tag", tag, error._tag)
  if (reason !== undefined) compare("reason", reason, "reason" in error ? error.reason : undefined)
  return found
}

const readAs = (raw: Refusal.Raw, message: string): string =>
  Refusal.read({ ...raw, body: JSON.stringify({ error: { message } }) }).message

const joined = (events: ReadonlyArray<Chat.Event>, tag: "TextDelta" | "ReasoningDelta"): string =>
  events.map((event) => (event._tag === tag ? event.text : "")).join("")

/** A call whose arguments were cut off does not count. */
const parsedCall = (call: NonNullable<Expected["toolCalls"]>[number]): ReadonlyArray<unknown> => {
  try {
    const input: unknown = call.argumentsJson === "" ? {} : JSON.parse(call.argumentsJson)
    return [[call.id ?? "", call.name, input]]
  } catch {
    return []
  }
}

/** If the wire gave no id, ours is invented and not compared. */
const takenCall = (event: Chat.Event, expected: Expected): ReadonlyArray<unknown> => {
  if (event._tag !== "ToolCall") return []
  const known = expected.toolCalls?.some((call) => call.id === event.id)
  return [[known ? event.id : "", event.name, event.input]]
}

/** Anthropic's `input` excludes cached tokens; ours includes them. */
const wireUsage = (usage: Usage | null | undefined, protocol: Recording["protocol"]): unknown => {
  if (usage === null || usage === undefined) return [null, null, null, null, null]
  const cached = protocol === "anthropic-messages" ? (usage.cached ?? 0) + (usage.cacheWrite ?? 0) : 0
  const input = usage.input === null ? null : usage.input + cached
  return [input, usage.output, usage.total ?? null, usage.cached, usage.reasoning]
}

const usageOf = (usage: Chat.Usage | undefined): unknown =>
  [usage?.inputTokens, usage?.outputTokens, usage?.totalTokens, usage?.cachedInputTokens, usage?.reasoningTokens].map(
    (count) => count ?? null
  )
