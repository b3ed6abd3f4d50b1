import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as EffectAi from "./EffectAi.js"

export const { messages, responses } = EffectAi.over(FetchHttpClient.layer)
