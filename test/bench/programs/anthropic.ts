import Anthropic from "@anthropic-ai/sdk"

const [, , baseURL = ""] = process.argv

const client = new Anthropic({ apiKey: "key", baseURL: baseURL.replace(/\/v1$/, "") })
const stream = await client.messages.create({
  model: "bench-model",
  messages: [{ role: "user", content: "Why is the sky blue?" }],
  max_tokens: 1024,
  stream: true
})
for await (const event of stream) {
  if (event.type === "content_block_delta" && event.delta.type === "text_delta") process.stdout.write(event.delta.text)
}
