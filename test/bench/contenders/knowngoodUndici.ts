import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { RetryPolicy } from "knowngood"
import * as Knowngood from "./Knowngood.js"

export const { chat, messages } = Knowngood.over("stream", NodeHttpClient.layerUndici)

export const { chat: chatWithoutRetry } = Knowngood.over("stream", NodeHttpClient.layerUndici, () => RetryPolicy.none)
