import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { RetryPolicy } from "knowngood"
import * as Knowngood from "./Knowngood.js"

export const { chat, messages } = Knowngood.over("stream", FetchHttpClient.layer)

export const { chat: chatWithoutRetry } = Knowngood.over("stream", FetchHttpClient.layer, () => RetryPolicy.none)
