/** What every contender sends. */
export const model = "bench-model"
export const key = "bench-key-0123456789"
export const prompt = "Why is the sky blue?"
export const maxTokens = 4096

export const chat = { model, messages: [{ role: "user" as const, content: prompt }] }
export const messages = { ...chat, max_tokens: maxTokens }
export const responses = { model, input: prompt }

export const bearer = { authorization: `Bearer ${key}`, "content-type": "application/json" }
export const anthropic = { "x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json" }
