import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as EffectAi from "./EffectAi.js"

export const { messages, responses } = EffectAi.over(NodeHttpClient.layerUndici)
