/**
 * What a program asks of a model: the same words for every provider.
 */
import type * as Json from "../Json.js"
import type { Cacheable, Message } from "./Message.js"

/** A JSON Schema, as plain JSON. */
export type JsonSchema = Json.Fields

/** A tool that the model may call. `Tool.make` makes one from an Effect schema. */
export interface ToolDefinition extends Cacheable {
  /** The name by which the model calls it. */
  readonly name: string
  /** What it does, for the model. */
  readonly description?: string | undefined
  /** The shape of its arguments: a schema of an object. */
  readonly parameters: JsonSchema
}

/** A conversation that the model is to continue. Only `messages` is required; the provider decides what is left out. */
export interface Request {
  /** The conversation so far, oldest first. A tool call that lacks a result gets one that says so. */
  readonly messages: ReadonlyArray<Message>
  /** Overrides the provider's model for this call. */
  readonly model?: string | undefined
  /** The tools that the model may call. Default: none. */
  readonly tools?: ReadonlyArray<ToolDefinition> | undefined
  /** `required`: any tool; a name: that one. The provider's default is `auto`. */
  readonly toolChoice?: "auto" | "none" | "required" | { readonly name: string } | undefined
  /** The most tokens that the answer may have. Required on the Anthropic wire, where the default is 4096. */
  readonly maxTokens?: number | undefined
  /** How random the answer is. Anthropic's API since 2026-10-21 and its models since 4.7 refuse this and `topP`. */
  readonly temperature?: number | undefined
  /** The share of likely tokens that the model chooses from, 0 to 1. */
  readonly topP?: number | undefined
  /** Texts at which the model stops. OpenAI's Responses have none: such a request is not sent. */
  readonly stop?: ReadonlyArray<string> | undefined
  /** Makes answers repeatable, as far as the provider can. Only OpenAI's chat completions have such a field. */
  readonly seed?: number | undefined
  /** How much the model may think. Sent as the provider spells it; not sent where it has no such field. */
  readonly reasoning?: Reasoning | undefined
  /** `json`: any JSON value; a schema: that shape, where the provider can hold the model to it. */
  readonly output?: "json" | { readonly name?: string | undefined; readonly schema: JsonSchema } | undefined
  /** An opaque id of the person the request is for, so that the provider can trace abuse. */
  readonly user?: string | undefined
  /** Fields that only this provider knows, merged into the body. They cannot replace a field that the protocol sets. */
  readonly extra?: Json.Fields | undefined
}

/** How much a model may think: by degree, or by a number of tokens. */
export type Reasoning =
  | { readonly effort: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" }
  | { readonly budgetTokens: number }
