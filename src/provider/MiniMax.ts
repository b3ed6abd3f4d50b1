/**
 * MiniMax, on OpenAI's wire. Hosts, models and `reasoning_split`: MiniMax API docs. Its streams end without `[DONE]`
 * (recorded), and its errors may come inside a 200, in `base_resp`.
 */
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

export type Region = "cn" | "global"

export interface Own {
  /** Default `global`. */
  readonly region?: Region | undefined
}

export type Options = Provider.Options & Own

const hosts: { readonly [region in Region]: string } = {
  cn: "https://api.minimaxi.com/v1",
  global: "https://api.minimax.io/v1"
}

export const { layer, layerConfig, make } = Provider.preset<Own>(({ region = "global" }) => ({
  id: "minimax",
  // Older models write their thinking into the text whatever `reasoning_split` says, so the tags are read as well.
  protocol: OpenAiChat.make({
    maxTokens: "max_completion_tokens",
    reasoning: "thinking-adaptive",
    output: "prompt",
    thinkTags: true,
    defaults: { reasoning_split: true }
  }),
  baseUrl: hosts[region],
  variable: "MINIMAX_API_KEY",
  scheme: Credential.bearer,
  keyRequired: true,
  model: "MiniMax-M3"
}))
