/**
 * DeepSeek, on OpenAI's wire. Host, models, thinking and the demand for `reasoning_content`: DeepSeek API docs.
 */
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

export type Options = Provider.Options

export const { layer, layerConfig, make } = Provider.preset<unknown>(() => ({
  id: "deepseek",
  protocol: OpenAiChat.make({ reasoning: "thinking", output: "json", replaysReasoning: true }),
  baseUrl: "https://api.deepseek.com",
  variable: "DEEPSEEK_API_KEY",
  scheme: Credential.bearer,
  keyRequired: true,
  model: "deepseek-v4-flash"
}))
