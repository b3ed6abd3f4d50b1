import { createAnthropic } from "@ai-sdk/anthropic"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { generateText, type LanguageModel, streamText } from "ai"
import type { Client, Connect } from "../Contender.js"
import * as Chat from "./Chat.js"

const client = (model: LanguageModel): Client => {
  const call = { model, prompt: Chat.prompt, maxOutputTokens: Chat.maxTokens }
  return {
    complete: async () => (await generateText(call)).text,
    stream: async (onText) => {
      for await (const text of streamText(call).textStream) onText(text)
    }
  }
}

export const chat: Connect = (root) =>
  client(
    createOpenAICompatible({ name: "bench", apiKey: Chat.key, baseURL: `${root}/v1`, includeUsage: true }).chatModel(
      Chat.model
    )
  )

export const messages: Connect = (root) =>
  client(createAnthropic({ apiKey: Chat.key, baseURL: `${root}/v1` })(Chat.model))
