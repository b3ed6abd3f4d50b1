import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Knowngood from "./Knowngood.js"

export const { chat, messages } = Knowngood.over("listen", FetchHttpClient.layer)
