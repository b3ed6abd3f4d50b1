import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Platform from "./Platform.js"

export const chat = Platform.over(NodeHttpClient.layerUndici)
