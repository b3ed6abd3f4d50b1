import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Platform from "./Platform.js"

export const chat = Platform.over(FetchHttpClient.layer)
