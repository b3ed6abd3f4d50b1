/**
 * Anthropic, and everyone who speaks its wire: with `baseUrl`, MiMo, DeepSeek, MiniMax and GLM under their `/anthropic`.
 * Host, headers and versions: Anthropic API docs.
 */
import * as BaseUrl from "../BaseUrl.js"
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as AnthropicMessages from "../protocol/AnthropicMessages.js"

export interface Own {
  /** How the key is sent. Default `Credential.header("x-api-key")`; MiMo's `/anthropic` documents `api-key`. */
  readonly scheme?: Credential.Scheme | undefined
  /**
   * The version of the API, a date. Default `2023-06-01`. `2026-10-21` and later take no `temperature`, `topP` and
   * `top_k`: a request that has one fails with `InvalidRequest`, its `problem` `Unsupported`, and is not sent.
   */
  readonly version?: string | undefined
}

export type Options = Provider.Options & Own

const host = "https://api.anthropic.com"

export const { layer, layerConfig, make } = Provider.preset<Own & Pick<Provider.Options, "baseUrl">>(
  ({ baseUrl = host, scheme, version }) => ({
    id: "anthropic",
    protocol: AnthropicMessages.make({ version, ownHost: BaseUrl.parse(baseUrl)?.origin === host }),
    baseUrl: host,
    variable: "ANTHROPIC_API_KEY",
    scheme: scheme ?? Credential.header("x-api-key"),
    keyRequired: true
  })
)
