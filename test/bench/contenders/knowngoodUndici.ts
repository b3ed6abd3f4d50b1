import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { RetryPolicy } from "knowngood"
import * as Knowngood from "./Knowngood.js"

export const { chat, messages } = Knowngood.over(NodeHttpClient.layerUndici)

export const { chat: chatWithoutRetry } = Knowngood.over(NodeHttpClient.layerUndici, () => RetryPolicy.none)
