/**
 * What the model says to a prompt: a function of the prompt alone. Every piece names the call it belongs to and its
 * place, so that an event that is lost, repeated or another call's is told from the right one.
 */
import type { Chat } from "../../src/index.js"
import * as Dice from "./Dice.js"

/** The prompt of the call with this number. */
export const promptOf = (call: number): string => `call ${call}`

/** The number of the call that a prompt belongs to. The prompt of `verify` is call 0. */
export const callOf = (prompt: string): number => Number(/^call (\d+)$/.exec(prompt)?.[1] ?? 0)

export interface Speech {
  readonly reasoning: ReadonlyArray<string>
  readonly text: ReadonlyArray<string>
  /** The arguments of a tool call, in pieces; none if there is no call. */
  readonly args: ReadonlyArray<string>
}

const colours = ["", "é ", "世界 ", "👩‍👩‍👧 "]

export const speechOf = (call: number): Speech => {
  const dice = Dice.make("speech", call)
  const pieces = (kind: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${kind}${call}.${i} ${colours[dice.below(colours.length)]}`)
  const reasoning = pieces("r", dice.below(4))
  const text = pieces("t", 5 + dice.below(20))
  const calls = dice.below(4) === 0
  return { reasoning, text, args: calls ? [`{"call":${call},`, `"place":"${text[0]}`, `here"}`] : [] }
}

/** The events that a stream of this call must consist of. */
export const eventsOf = (call: number): ReadonlyArray<Chat.Event> => {
  const { args, reasoning, text } = speechOf(call)
  return [
    ...reasoning.map((text): Chat.Event => ({ _tag: "ReasoningDelta", text })),
    ...text.map((text): Chat.Event => ({ _tag: "TextDelta", text })),
    ...args.map((delta): Chat.Event => ({ _tag: "ToolCallDelta", id: toolCallId(call), name: toolName, delta })),
    ...(args.length === 0
      ? []
      : [{ _tag: "ToolCall", id: toolCallId(call), name: toolName, input: JSON.parse(args.join("")) } as const]),
    {
      _tag: "Finish",
      reason: args.length === 0 ? "stop" : "tool-calls",
      rawReason: args.length === 0 ? "stop" : "tool_calls",
      model,
      id: `answer-${call}`,
      usage: {
        inputTokens: call,
        outputTokens: text.length,
        totalTokens: call + text.length,
        cachedInputTokens: undefined,
        reasoningTokens: undefined
      }
    }
  ]
}

// ---------------------------------------------------------------------------------------------------------------------
// On the wire
// ---------------------------------------------------------------------------------------------------------------------

export const model = "chaos-1"
const toolName = "look"
const toolCallId = (call: number): string => `call_${call}`

/** The server-sent events of a stream, one string each. */
export const framesOf = (call: number): ReadonlyArray<string> => {
  const { args, reasoning, text } = speechOf(call)
  const chunk = (delta: object, rest?: object) =>
    frame({ id: `answer-${call}`, model, choices: [{ index: 0, delta, finish_reason: null, ...rest }] })
  return [
    chunk({ role: "assistant", content: "" }),
    ...reasoning.map((reasoning_content) => chunk({ reasoning_content })),
    ...text.map((content) => chunk({ content })),
    ...args.map((piece, i) =>
      chunk({
        tool_calls: [
          {
            index: 0,
            ...(i === 0 ? { id: toolCallId(call), type: "function" } : undefined),
            function: { ...(i === 0 ? { name: toolName } : undefined), arguments: piece }
          }
        ]
      })
    ),
    chunk({}, { finish_reason: args.length === 0 ? "stop" : "tool_calls" }),
    frame({ id: `answer-${call}`, model, choices: [], usage: usageOf(call) }),
    "data: [DONE]\n\n"
  ]
}

/** The body of an answer that comes whole. */
export const bodyOf = (call: number): string => {
  const { args, reasoning, text } = speechOf(call)
  return JSON.stringify({
    id: `answer-${call}`,
    model,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: text.join(""),
          ...(reasoning.length === 0 ? undefined : { reasoning_content: reasoning.join("") }),
          ...(args.length === 0
            ? undefined
            : {
                tool_calls: [
                  { id: toolCallId(call), type: "function", function: { name: toolName, arguments: args.join("") } }
                ]
              })
        },
        finish_reason: args.length === 0 ? "stop" : "tool_calls"
      }
    ],
    usage: usageOf(call)
  })
}

/** The server's word that something broke, inside a 200. */
export const errorFrame = `data: ${JSON.stringify({ error: { message: "overloaded", type: "server_error", code: "server_busy" } })}\n\n`

const frame = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

const usageOf = (call: number) => {
  const said = speechOf(call).text.length
  return { prompt_tokens: call, completion_tokens: said, total_tokens: call + said }
}
