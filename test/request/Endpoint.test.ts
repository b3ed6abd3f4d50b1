/** Requests before they have a key: where they go, what they contain, and what cannot be sent. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Chat } from "../../src/index.js"
import * as AnthropicMessages from "../../src/protocol/AnthropicMessages.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as Endpoint from "../../src/request/Endpoint.js"

const openAiChat = OpenAiChat.make()
const anthropicMessages = AnthropicMessages.make()
const hi: Chat.Request = { messages: [Chat.user("hi")] }

const endpoint = (options: Partial<Endpoint.Options> = {}) =>
  Endpoint.make({
    provider: "test",
    protocol: openAiChat,
    baseUrl: "https://example.org/v1",
    model: "m",
    headers: undefined,
    extra: undefined,
    ...options
  })

describe("addresses", () => {
  const openai: ReadonlyArray<readonly [baseUrl: string, chat: string]> = [
    ["https://example.org/v1", "https://example.org/v1/chat/completions"],
    ["https://example.org/v1/", "https://example.org/v1/chat/completions"],
    ["https://example.org", "https://example.org/chat/completions"],
    ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/chat/completions"],
    ["https://example.org/a/b//", "https://example.org/a/b/chat/completions"],
    ["https://example.org/v1?version=2", "https://example.org/v1/chat/completions?version=2"]
  ]
  const anthropic: ReadonlyArray<readonly [baseUrl: string, chat: string]> = [
    ["https://example.org", "https://example.org/v1/messages"],
    ["https://example.org/v1", "https://example.org/v1/messages"],
    ["https://example.org/v1/", "https://example.org/v1/messages"],
    ["https://example.org/anthropic", "https://example.org/anthropic/v1/messages"],
    ["https://example.org/anthropic/v1", "https://example.org/anthropic/v1/messages"]
  ]
  for (const [protocol, rows] of [
    [openAiChat, openai],
    [anthropicMessages, anthropic]
  ] as const) {
    for (const [baseUrl, url] of rows) {
      it.effect(`${protocol.id} at ${baseUrl}`, () =>
        Effect.gen(function* () {
          expect((yield* endpoint({ protocol, baseUrl }).chat(hi, true)).url).toBe(url)
        })
      )
    }
  }

  it.effect("of the models", () =>
    Effect.gen(function* () {
      const request = yield* endpoint().models
      expect([request.method, request.url]).toEqual(["GET", "https://example.org/v1/models"])
    })
  )

  it("have an origin, to which a credential is bound", () => {
    expect(endpoint({ baseUrl: "https://example.org:8443/v1" }).origin).toBe("https://example.org:8443")
  })

  for (const baseUrl of [
    "",
    "example.org/v1",
    "/v1",
    "ftp://example.org",
    "https://user:word@example.org",
    "https://"
  ]) {
    it.effect(`${JSON.stringify(baseUrl)} is not valid: chats and models fail, and nothing is sent`, () =>
      Effect.gen(function* () {
        const here = endpoint({ baseUrl })
        expect(here.origin).toBeUndefined()
        for (const built of [here.chat(hi, true), here.models]) {
          const error = yield* Effect.flip(built)
          expect(error).toMatchObject({ _tag: "InvalidRequest", reason: "BadRequest", attempts: 0, provider: "test" })
          expect(error.problem).toBe("BadBaseUrl")
          expect(error.detail).toBeUndefined()
          expect(JSON.stringify(error)).not.toContain("word")
        }
      })
    )
  }
})

describe("headers", () => {
  it.effect("from the options are sent, but the SDK's own cannot be replaced, however they are spelled", () =>
    Effect.gen(function* () {
      const headers = {
        "X-Title": "t",
        Authorization: "Bearer evil",
        "API-Key": "evil",
        "x-api-key": "evil",
        "Content-Type": "text/evil",
        "content-length": "1",
        Host: "evil",
        "Anthropic-Version": "evil",
        Accept: "evil"
      }
      const request = yield* endpoint({ protocol: anthropicMessages, headers }).chat(hi, false)
      expect(JSON.stringify(request.headers)).not.toContain("evil")
      expect(request.headers).toMatchObject({
        "x-title": "t",
        "anthropic-version": "2023-06-01",
        accept: "application/json",
        "content-type": "application/json"
      })
    })
  )

  for (const [name, value] of [
    ["x-title", "a\r\nx-evil: 1"],
    ["x-title", "a\u0000"],
    ["x-title", "世界"],
    ["x title", "a"],
    ["", "a"]
  ] as const) {
    it.effect(`${JSON.stringify([name, value])} cannot be sent, so nothing is`, () =>
      Effect.gen(function* () {
        const here = endpoint({ headers: { [name]: value } })
        for (const built of [here.chat(hi, true), here.models]) {
          const error = yield* Effect.flip(built)
          expect(error).toMatchObject({ _tag: "InvalidRequest", reason: "BadRequest", attempts: 0 })
          expect(error).toMatchObject({ problem: "BadHeader", subject: name })
          expect(error.detail).toBeUndefined()
        }
      })
    )
  }
})

describe("the model", () => {
  const rows: ReadonlyArray<readonly [layer: string | undefined, request: string | undefined, model: string]> = [
    ["a", undefined, "a"],
    ["a", "b", "b"],
    [undefined, "b", "b"]
  ]
  for (const [model, asked, wanted] of rows) {
    it.effect(`of a layer with ${model} and a request with ${asked} is ${wanted}`, () =>
      Effect.gen(function* () {
        const request = yield* endpoint({ model }).chat({ ...hi, model: asked }, false)
        expect(bodyOf(request)).toMatchObject({ model: wanted })
      })
    )
  }

  for (const [model, asked] of [
    [undefined, undefined],
    ["", undefined],
    ["a", " "]
  ] as const) {
    it.effect(`${JSON.stringify([model, asked])} is missing, so nothing is sent`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(endpoint({ model }).chat({ ...hi, model: asked }, false))
        expect(error).toMatchObject({ _tag: "InvalidRequest", reason: "BadRequest", attempts: 0 })
        expect(error).toMatchObject({ problem: "NoModel" })
        expect(error.detail).toBeUndefined()
      })
    )
  }
})

describe("the body", () => {
  it.effect("has the layer's extra fields under the request's, and both under what the protocol sets", () =>
    Effect.gen(function* () {
      const extra = { a: "layer", b: "layer", model: "layer", temperature: 9 }
      const request = { ...hi, temperature: 1, extra: { b: "request", stream: "request" } }
      expect(bodyOf(yield* endpoint({ extra }).chat(request, false))).toEqual({
        model: "m",
        messages: [{ role: "user", content: "hi" }],
        stream: false,
        a: "layer",
        b: "request",
        temperature: 1
      })
    })
  )

  const cycle: Record<string, unknown> = {}
  cycle["self"] = cycle
  const unencodable: ReadonlyArray<readonly [name: string, request: unknown]> = [
    ["a cycle", { ...hi, extra: { cycle } }],
    ["a BigInt", { messages: [Chat.assistant("", { toolCalls: [{ id: "a", name: "f", input: 1n }] })] }],
    ["something that cannot be written", { ...hi, extra: { toJSON: 1, date: new Date(Number.NaN), bad: throwing() } }],
    ["no messages", {}],
    ["messages that are none", { messages: [null] }],
    ["a role of tomorrow", { messages: [{ role: "oracle", content: "x" }] }]
  ]
  for (const protocol of [openAiChat, anthropicMessages]) {
    for (const [name, request] of unencodable) {
      it.effect(`${name} on ${protocol.id} is InvalidRequest, and nothing is sent`, () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(endpoint({ protocol }).chat(request as Chat.Request, false))
          expect(error).toMatchObject({ _tag: "InvalidRequest", reason: "BadRequest", attempts: 0 })
        })
      )
    }
  }
})

/** A value that throws when it is turned into JSON. */
function throwing(): unknown {
  return {
    toJSON: () => {
      throw new Error("no JSON")
    }
  }
}

const bodyOf = (request: { readonly body: { readonly _tag: string } }): unknown => {
  const { body } = request
  if (!("body" in body) || !(body.body instanceof Uint8Array)) throw new Error(`a body of ${body._tag}`)
  return JSON.parse(new TextDecoder().decode(body.body))
}
