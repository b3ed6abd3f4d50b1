/**
 * Any host that speaks OpenAI's wire: a gateway, a hosted open model, a server on this machine. The key is optional,
 * because a local server wants none.
 */
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

export interface Own {
  /** Names the provider in errors and notices. */
  readonly id: string
  /** Up to where `/chat/completions` follows, mostly with a `/v1` at its end. */
  readonly baseUrl: string
  /** How this host departs from OpenAI. Default: not at all. */
  readonly dialect?: OpenAiChat.Dialect | undefined
}

export type Options = Provider.Options & Own

export const { layer, layerConfig, make } = Provider.preset<Own>(({ baseUrl, dialect, id }) => ({
  id,
  protocol: OpenAiChat.make(dialect),
  baseUrl,
  variable: `${id.toUpperCase().replace(/[^A-Z0-9]+/g, "_")}_API_KEY`,
  scheme: Credential.bearer,
  keyRequired: false
}))
