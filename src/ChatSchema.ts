/**
 * The words of `Chat` as schemas: for requests, events and replies that cross HTTP, RPC, workers and databases.
 *
 * Decoding insists on what protects: roles, tags, required fields, and no `__proto__` in what is handed on whole. Fields
 * that it does not know it drops. Encoding gives JSON: what JSON cannot carry fails there, with its path, and never
 * arrives as something else. The calls of a provider use none of this, so an event costs nothing more.
 */
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import type * as Chat from "./Chat.js"
import * as Json from "./Json.js"
import * as JsonValue from "./JsonValue.js"

/** How `A` is written as JSON: a field that may be `undefined` may be left out. */
export type Encoded<A> = unknown extends A
  ? A
  : A extends string | number | boolean | null | undefined
    ? A
    : A extends ReadonlyArray<infer Item>
      ? ReadonlyArray<Encoded<Item>>
      : string extends keyof A
        ? A
        : { readonly [K in keyof A as undefined extends A[K] ? never : K]: Encoded<A[K]> } & {
            readonly [K in keyof A as undefined extends A[K] ? K : never]?: Encoded<A[K]>
          }

/** A schema of `A` that needs nothing from the context. */
export type Of<A> = Schema.Schema<A, Encoded<A>>

/**
 * Every field of `A`, the optional ones, too: a schema that lacks one of those would fit the type all the same. So a field
 * that is new to `Chat` does not compile before it is here.
 */
type Each<A> = { readonly [K in keyof A]-?: unknown }

// ---------------------------------------------------------------------------------------------------------------------
// What they are made of
// ---------------------------------------------------------------------------------------------------------------------

/** The name of a component in an OpenAPI document. */
const named = (name: string) => ({ identifier: `knowngood.${name}` })

/** What is handed on whole. */
const handedOn = {
  strict: false,
  decode: (value: unknown, _: unknown, ast: AST.AST) => copied(value, ast),
  encode: (value: unknown, _: unknown, ast: AST.AST) => copied(value, ast)
} as const

const copied = (value: unknown, ast: AST.AST) => {
  if (value === undefined) return ParseResult.succeed(undefined)
  const made = JsonValue.copy(value)
  if (made._tag === "Copy") return ParseResult.succeed(made.value)
  const issue = new ParseResult.Type(ast, value, `Expected a JSON value, actual ${made.problem}`)
  const [first, ...rest] = made.path
  return ParseResult.fail(first === undefined ? issue : new ParseResult.Pointer([first, ...rest], value, issue))
}

/** As it comes through. */
const harmless = (value: unknown): unknown => {
  const made = JsonValue.copy(value)
  return made._tag === "Copy" ? made.value : undefined
}

const harmlessFields = (fields: Json.Fields): Json.Fields => Json.record(harmless(fields)) ?? {}

const anything = Schema.Unknown.annotations({
  ...named("Json"),
  jsonSchema: {},
  arbitrary: () => (fc) => fc.jsonValue({ maxDepth: 4 }).map(harmless)
})

const anyObject = Schema.declare((value): value is Json.Fields => Json.record(value) !== undefined, {
  ...named("JsonObject"),
  jsonSchema: { type: "object" },
  arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })).map(harmlessFields)
})

const Fields = Schema.transformOrFail(anyObject, anyObject, handedOn)

/** `undefined` is left out of JSON. */
const written = <A>(value: A | undefined): Option.Option<A | undefined> =>
  value === undefined ? Option.none() : Option.some(value)

/** A field that is there and may be `undefined`. */
const orUndefined = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalToRequired(Schema.UndefinedOr(schema), Schema.UndefinedOr(Schema.typeSchema(schema)), {
    decode: Option.getOrUndefined,
    encode: written
  })

/**
 * A field that may be anything. Not a union with `undefined`: where that does not fit, Effect prints the value, and one
 * that is nested deep enough ends its stack.
 */
const value = Schema.optionalToRequired(Schema.transformOrFail(anything, anything, handedOn), anything, {
  decode: Option.getOrUndefined,
  encode: written
})

/** Numbers that JSON has. */
const Finite = Schema.JsonNumber

const cacheable = { cache: Schema.optional(Schema.Literal("5m", "1h")) }

// ---------------------------------------------------------------------------------------------------------------------
// Messages
// ---------------------------------------------------------------------------------------------------------------------

/** `Chat.Replay`. */
export const Replay: Of<Chat.Replay> = Schema.Struct({
  protocol: Schema.String,
  content: value
} satisfies Each<Chat.Replay>).annotations(named("Replay"))

/** `Chat.TextPart`. */
export const TextPart: Of<Chat.TextPart> = Schema.Struct({
  type: Schema.Literal("text"),
  text: Schema.String,
  ...cacheable
} satisfies Each<Chat.TextPart>).annotations(named("TextPart"))

/** `Chat.ImagePart`. */
export const ImagePart: Of<Chat.ImagePart> = Schema.Struct({
  type: Schema.Literal("image"),
  source: Schema.Union(
    Schema.Struct({ url: Schema.String }),
    Schema.Struct({ base64: Schema.String, mediaType: Schema.String })
  ),
  ...cacheable
} satisfies Each<Chat.ImagePart>).annotations(named("ImagePart"))

/** `Chat.Part`. */
export const Part: Of<Chat.Part> = Schema.Union(TextPart, ImagePart).annotations(named("Part"))

/** `Chat.SystemMessage`. */
export const SystemMessage: Of<Chat.SystemMessage> = Schema.Struct({
  role: Schema.Literal("system"),
  content: Schema.String,
  ...cacheable
} satisfies Each<Chat.SystemMessage>).annotations(named("SystemMessage"))

/** `Chat.UserMessage`. */
export const UserMessage: Of<Chat.UserMessage> = Schema.Struct({
  role: Schema.Literal("user"),
  content: Schema.Union(Schema.String, Schema.Array(Part)),
  ...cacheable
} satisfies Each<Chat.UserMessage>).annotations(named("UserMessage"))

const call = {
  id: Schema.String,
  name: Schema.String,
  input: value,
  replay: Schema.optional(Replay)
} satisfies Each<Chat.ToolCall>

/** `Chat.ToolCall`. Its input is any JSON: `Tool.decode` checks it against the tool's own schema. */
export const ToolCall: Of<Chat.ToolCall> = Schema.Struct(call).annotations(named("ToolCall"))

/** `Chat.AssistantMessage`. */
export const AssistantMessage: Of<Chat.AssistantMessage> = Schema.Struct({
  role: Schema.Literal("assistant"),
  content: Schema.Union(Schema.String, Schema.Array(TextPart)),
  reasoning: Schema.optional(Schema.String),
  toolCalls: Schema.optional(Schema.Array(ToolCall)),
  replay: Schema.optional(Replay)
} satisfies Each<Chat.AssistantMessage>).annotations(named("AssistantMessage"))

/** `Chat.ToolMessage`. */
export const ToolMessage: Of<Chat.ToolMessage> = Schema.Struct({
  role: Schema.Literal("tool"),
  toolCallId: Schema.String,
  name: Schema.String,
  content: Schema.Union(Schema.String, Schema.Array(Part)),
  isError: Schema.optional(Schema.Boolean),
  ...cacheable
} satisfies Each<Chat.ToolMessage>).annotations(named("ToolMessage"))

/**
 * `Chat.Message`: for a history in a database, or one that a browser sends.
 *
 * @example
 * import { Schema } from "effect"
 * import { ChatSchema } from "knowngood"
 *
 * const History = Schema.parseJson(Schema.Array(ChatSchema.Message))
 * const load = Schema.decode(History)
 * const save = Schema.encode(History)
 */
export const Message: Of<Chat.Message> = Schema.Union(
  SystemMessage,
  UserMessage,
  AssistantMessage,
  ToolMessage
).annotations(named("Message"))

// ---------------------------------------------------------------------------------------------------------------------
// What is asked
// ---------------------------------------------------------------------------------------------------------------------

/** `Chat.ToolDefinition`. Of a tool that `Tool.make` made, this is what crosses; its schema stays behind. */
export const ToolDefinition: Of<Chat.ToolDefinition> = Schema.Struct({
  name: Schema.String,
  description: Schema.optional(Schema.String),
  parameters: Fields,
  ...cacheable
} satisfies Each<Chat.ToolDefinition>).annotations(named("ToolDefinition"))

/** `Chat.Reasoning`. */
export const Reasoning: Of<Chat.Reasoning> = Schema.Union(
  Schema.Struct({ effort: Schema.Literal("none", "minimal", "low", "medium", "high", "xhigh", "max") }),
  Schema.Struct({ budgetTokens: Finite })
).annotations(named("Reasoning"))

/**
 * `Chat.Request`. A service that takes one from its clients takes all of it: the model and the provider's own fields
 * (`extra`), too. To let them choose less, pick the fields that they may set.
 *
 * @example
 * import { Schema } from "effect"
 * import { ChatSchema } from "knowngood"
 *
 * // What a browser may ask for.
 * const Question = Schema.Struct({ messages: Schema.Array(ChatSchema.Message) })
 */
export const Request: Of<Chat.Request> = Schema.Struct({
  messages: Schema.Array(Message),
  model: Schema.optional(Schema.String),
  tools: Schema.optional(Schema.Array(ToolDefinition)),
  toolChoice: Schema.optional(
    Schema.Union(Schema.Literal("auto", "none", "required"), Schema.Struct({ name: Schema.String }))
  ),
  maxTokens: Schema.optional(Finite),
  temperature: Schema.optional(Finite),
  topP: Schema.optional(Finite),
  stop: Schema.optional(Schema.Array(Schema.String)),
  seed: Schema.optional(Finite),
  reasoning: Schema.optional(Reasoning),
  output: Schema.optional(
    Schema.Union(
      Schema.Literal("json"),
      Schema.Struct({ name: Schema.optional(Schema.String), schema: Fields } satisfies Each<
        Extract<Chat.Request["output"], object>
      >)
    )
  ),
  user: Schema.optional(Schema.String),
  extra: Schema.optional(Fields)
} satisfies Each<Chat.Request>).annotations(named("Request"))

// ---------------------------------------------------------------------------------------------------------------------
// What arrives
// ---------------------------------------------------------------------------------------------------------------------

/** `Chat.FinishReason`. */
export const FinishReason: Of<Chat.FinishReason> = Schema.Literal(
  "stop",
  "length",
  "tool-calls",
  "content-filter",
  "pause",
  "other"
).annotations(named("FinishReason"))

/** `Chat.Usage`. A count that is `undefined` is left out of the JSON. */
export const Usage: Of<Chat.Usage> = Schema.Struct({
  inputTokens: orUndefined(Finite),
  outputTokens: orUndefined(Finite),
  totalTokens: orUndefined(Finite),
  cachedInputTokens: orUndefined(Finite),
  reasoningTokens: orUndefined(Finite)
} satisfies Each<Chat.Usage>).annotations(named("Usage"))

/** `Chat.Finish`. */
export const Finish: Of<Chat.Finish> = Schema.Struct({
  _tag: Schema.Literal("Finish"),
  reason: FinishReason,
  rawReason: Schema.String,
  usage: Usage,
  model: orUndefined(Schema.String),
  id: orUndefined(Schema.String),
  refusal: Schema.optional(Schema.String),
  replay: Schema.optional(Replay)
} satisfies Each<Chat.Finish>).annotations(named("Finish"))

/**
 * `Chat.Event`: for a stream over RPC, or server-sent events.
 *
 * @example
 * import { Schema } from "effect"
 * import { ChatSchema } from "knowngood"
 *
 * const encode = Schema.encodeSync(Schema.parseJson(ChatSchema.Event))
 * const line = `data: ${encode({ _tag: "TextDelta", text: "Because" })}\n\n`
 */
export const Event: Of<Chat.Event> = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("TextDelta"), text: Schema.String }),
  Schema.Struct({ _tag: Schema.Literal("ReasoningDelta"), text: Schema.String }),
  Schema.Struct({
    _tag: Schema.Literal("ToolCallDelta"),
    id: Schema.String,
    name: Schema.String,
    delta: Schema.String
  }),
  Schema.Struct({ _tag: Schema.Literal("ToolCall"), ...call }),
  Finish
).annotations(named("Event"))

/** `Chat.Reply`. */
export const Reply: Of<Chat.Reply> = Schema.Struct({
  text: Schema.String,
  reasoning: Schema.String,
  toolCalls: Schema.Array(ToolCall),
  reason: FinishReason,
  rawReason: Schema.String,
  usage: Usage,
  model: orUndefined(Schema.String),
  id: orUndefined(Schema.String),
  refusal: orUndefined(Schema.String),
  message: AssistantMessage
} satisfies Each<Chat.Reply>).annotations(named("Reply"))
