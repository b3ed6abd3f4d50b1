/** No SDK: what the same program costs that is written with Effect and its HTTP client alone. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const [, , baseUrl = ""] = process.argv

const body = {
  model: "bench-model",
  messages: [{ role: "user", content: "Why is the sky blue?" }],
  stream: true
}

HttpClientRequest.post(`${baseUrl}/chat/completions`, { headers: { authorization: "Bearer key" } }).pipe(
  HttpClientRequest.bodyUnsafeJson(body),
  HttpClient.execute,
  Effect.map((response) => response.stream),
  Stream.unwrapScoped,
  Stream.decodeText(),
  Stream.splitLines,
  Stream.filter((line) => line.startsWith("data: {")),
  Stream.runForEach((line) =>
    Effect.sync(() => process.stdout.write(JSON.parse(line.slice(6)).choices[0]?.delta.content ?? ""))
  ),
  Effect.provide(FetchHttpClient.layer),
  Effect.runPromise
)
