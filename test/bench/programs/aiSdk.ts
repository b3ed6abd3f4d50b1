import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { streamText } from "ai"

const [, , baseURL = ""] = process.argv

const provider = createOpenAICompatible({ name: "bench", apiKey: "key", baseURL })
const { textStream } = streamText({ model: provider.chatModel("bench-model"), prompt: "Why is the sky blue?" })
for await (const text of textStream) process.stdout.write(text)
