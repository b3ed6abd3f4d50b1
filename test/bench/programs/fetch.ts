const [, , baseUrl = ""] = process.argv

const response = await fetch(`${baseUrl}/chat/completions`, {
  method: "POST",
  headers: { authorization: "Bearer key", "content-type": "application/json" },
  body: JSON.stringify({
    model: "bench-model",
    messages: [{ role: "user", content: "Why is the sky blue?" }],
    stream: true
  })
})
const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
let rest = ""
for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
  const events = (rest + read.value).split("\n\n")
  rest = events.pop() ?? ""
  for (const event of events) {
    if (event === "data: [DONE]") continue
    process.stdout.write(JSON.parse(event.slice(6)).choices[0]?.delta.content ?? "")
  }
}
