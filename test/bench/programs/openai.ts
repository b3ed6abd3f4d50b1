import OpenAI from "openai"

const [, , baseURL = ""] = process.argv

const client = new OpenAI({ apiKey: "key", baseURL })
const stream = await client.chat.completions.create({
  model: "bench-model",
  messages: [{ role: "user", content: "Why is the sky blue?" }],
  stream: true
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "")
