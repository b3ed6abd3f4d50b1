import { Credential, OpenAiChat, Provider } from "knowngood"

/** What this provider takes besides the options that every preset takes. */
export interface Own {
  /** Where the models run. Default `eu`. */
  readonly region?: "eu" | "us" | undefined
}

/** A preset for a provider that the package does not have: its hosts, its key, and how it speaks OpenAI's wire. */
export const Nimbus = Provider.preset<Own>(({ region = "eu" }) => ({
  id: "nimbus",
  protocol: OpenAiChat.make({ maxTokens: "max_completion_tokens", output: "json", replaysReasoning: true }),
  baseUrl: `https://${region}.nimbus.example/v1`,
  variable: "NIMBUS_API_KEY",
  scheme: Credential.header("x-nimbus-key"),
  keyRequired: true,
  model: "nimbus-1"
}))
