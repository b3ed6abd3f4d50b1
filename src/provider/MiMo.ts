/**
 * Xiaomi MiMo, on OpenAI's wire. The reason this package exists: under load its token-plan gateway answers 401 for a
 * key that works (esengine/DeepSeek-Reasonix issue 3146).
 *
 * Hosts, header and models: MiMo API docs. A `tp-` key works on the cluster that issued it and nowhere else.
 */
import * as Credential from "../Credential.js"
import * as Provider from "../Provider.js"
import * as OpenAiChat from "../protocol/OpenAiChat.js"

/** A token-plan cluster, or `payg` for pay-as-you-go. */
export type Region = "cn" | "sgp" | "ams" | "payg"

export interface Own {
  /** Default `payg`. */
  readonly region?: Region | undefined
}

export type Options = Provider.Options & Own

const hosts: { readonly [region in Region]: string } = {
  cn: "https://token-plan-cn.xiaomimimo.com/v1",
  sgp: "https://token-plan-sgp.xiaomimimo.com/v1",
  ams: "https://token-plan-ams.xiaomimimo.com/v1",
  payg: "https://api.xiaomimimo.com/v1"
}

const hostOf = (region: Region): string => new URL(hosts[region]).hostname

/** Prefixes of clusters: reported by users. */
const keyHosts: ReadonlyArray<Provider.KeyHosts> = [
  { prefix: "tp-c", hosts: [hostOf("cn")] },
  { prefix: "tp-s", hosts: [hostOf("sgp")] },
  { prefix: "tp-e", hosts: [hostOf("ams")] },
  { prefix: "tp-", hosts: [hostOf("cn"), hostOf("sgp"), hostOf("ams")] },
  { prefix: "sk-", hosts: [hostOf("payg")] }
]

export const { layer, layerConfig, make } = Provider.preset<Own>(({ region = "payg" }) => ({
  id: "mimo",
  protocol: OpenAiChat.make({
    maxTokens: "max_completion_tokens",
    reasoning: "thinking",
    efforts: { minimal: "low", xhigh: "high", max: "high" },
    output: "json",
    replaysReasoning: true,
    namesToolResults: true
  }),
  baseUrl: hosts[region],
  variable: "MIMO_API_KEY",
  scheme: Credential.header("api-key"),
  keyRequired: true,
  keyHosts,
  model: "mimo-v2.5-pro"
}))
