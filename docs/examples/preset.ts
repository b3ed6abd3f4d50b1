import { Credential, OpenAiChat, Provider } from "knowngood"

/** This provider's own options, besides those that every preset has. */
export interface Own {
  /** Where the models run. Default `eu`. */
  readonly region?: "eu" | "us" | undefined
}

/** A preset for a provider that the package does not include: its hosts, its key, and its dialect of OpenAI's wire. */
export const Nimbus = Provider.preset<Own>(({ region = "eu" }) => ({
  id: "nimbus",
  protocol: OpenAiChat.make({ maxTokens: "max_completion_tokens", output: "json", replaysReasoning: true }),
  baseUrl: `https://${region}.nimbus.example/v1`,
  variable: "NIMBUS_API_KEY",
  scheme: Credential.header("x-nimbus-key"),
  keyRequired: true,
  model: "nimbus-1"
}))
