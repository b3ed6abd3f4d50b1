import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Knowngood from "./Knowngood.js"

export const { chat, messages } = Knowngood.over("listen", NodeHttpClient.layerUndici)
