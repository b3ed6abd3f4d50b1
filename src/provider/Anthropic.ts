/**
 * Anthropic, and everyone who speaks its wire: with `baseUrl`, MiMo, DeepSeek, MiniMax and GLM under their `/anthropic`.
 * Host and headers: Anthropic API docs.
 */
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import { AnthropicMessages } from "../protocol/AnthropicMessages.js"

export interface Own {
  /** How the key is sent. Default `Credential.header("x-api-key")`; MiMo's `/anthropic` documents `api-key`. */
  readonly scheme?: Credential.Scheme | undefined
}

export type Options = Provider.Options & Own

export const { layer, layerConfig, make } = Provider.preset<Own>(({ scheme }) => ({
  id: "anthropic",
  protocol: AnthropicMessages,
  baseUrl: "https://api.anthropic.com",
  variable: "ANTHROPIC_API_KEY",
  scheme: scheme ?? Credential.header("x-api-key"),
  keyRequired: true,
  dialect: {}
}))
