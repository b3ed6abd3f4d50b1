import OpenAI from "openai"
import type { Connect } from "../Contender.js"
import * as Chat from "./Chat.js"

export const chat: Connect = (root) => {
  const client = new OpenAI({ apiKey: Chat.key, baseURL: `${root}/v1` })
  return {
    complete: async () => (await client.chat.completions.create(Chat.chat)).choices[0]?.message.content ?? "",
    stream: async (onText) => {
      const stream = await client.chat.completions.create({
        ...Chat.chat,
        stream: true,
        stream_options: { include_usage: true }
      })
      for await (const chunk of stream) {
        const text = chunk.choices[0]?.delta.content
        if (text) onText(text)
      }
    }
  }
}
