import Anthropic from "@anthropic-ai/sdk"
import type { Connect } from "../Contender.js"
import * as Chat from "./Chat.js"

export const messages: Connect = (root) => {
  const client = new Anthropic({ apiKey: Chat.key, baseURL: root })
  return {
    complete: async () => {
      const block = (await client.messages.create(Chat.messages)).content[0]
      return block?.type === "text" ? block.text : ""
    },
    stream: async (onText) => {
      for await (const event of await client.messages.create({ ...Chat.messages, stream: true })) {
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") onText(event.delta.text)
      }
    }
  }
}
