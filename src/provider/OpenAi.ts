/**
 * OpenAI's chat completions. Host and fields: OpenAI API docs; its reasoning models refuse `max_tokens` (recorded).
 */
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

export type Options = Provider.Options

export const { layer, layerConfig, make } = Provider.preset<unknown>(() => ({
  id: "openai",
  protocol: OpenAiChat.make({ maxTokens: "max_completion_tokens" }),
  baseUrl: "https://api.openai.com/v1",
  variable: "OPENAI_API_KEY",
  scheme: Credential.bearer,
  keyRequired: true
}))
