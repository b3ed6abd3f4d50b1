/** Bad input, from the caller or the server, becomes a clear typed error, and nothing is lost. */
import type { HttpClient } from "@effect/platform"
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Ref, Stream } from "effect"
import {
  Anthropic,
  Chat,
  Credential,
  MiMo,
  OpenAi,
  OpenAiCompatible,
  Provider,
  type ProviderError,
  RetryPolicy
} from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import * as Cost from "./Cost.js"
import { clients, quick, serve } from "./Loopback.js"
import { accept, chunk, failed, hello, knownGood, mimo, plantedKey, refused, streamed, times, whole } from "./Wire.js"

const countRequests = Effect.map(Gateway.requests, (requests) => requests.length)

type Call = (request: Chat.Request) => Effect.Effect<unknown, ProviderError.ProviderError, Provider.Provider>

const complete: Call = Provider.complete
const stream: Call = (request) => Stream.runDrain(Provider.stream(request))

/** Everything a provider can be asked to do with a request. */
const calls: ReadonlyArray<readonly [name: string, call: Call]> = [
  ["complete", complete],
  ["stream", stream]
]

/** Reads a stream to its failure, and keeps what came before. */
const readToFailure = Effect.gen(function* () {
  const events: Array<Chat.Event> = []
  const error = yield* Provider.stream(hello).pipe(
    Stream.runForEach((event) => Effect.sync(() => events.push(event))),
    Effect.flip
  )
  return { events, error }
})

const once = { policy: () => RetryPolicy.none }

const key = Redacted.make(plantedKey)

const secondKey = Redacted.make("tp-another-key-0123456789")

/** The provider that this makes, at a scripted gateway. */
const made = (build: Effect.Effect<Provider.Service, never, HttpClient.HttpClient>, script: Gateway.Script = [whole]) =>
  Layer.provideMerge(Layer.effect(Provider.Provider, build), Gateway.layer(script))

const atGateway = (options: Provider.Options, script?: Gateway.Script) =>
  made(MiMo.make({ baseUrl: "https://gateway.test", apiKey: key, ...once, ...options }), script)

/** Nothing was sent, and the error says why. No server has said anything. */
const expectUnsent = (
  error: ProviderError.ProviderError,
  problem: ProviderError.InvalidRequestProblem,
  subject?: string
) => {
  assert(error._tag === "InvalidRequest")
  expect(error).toMatchObject({ reason: "BadRequest", attempts: 0, history: [] })
  expect([error.problem, error.subject, error.detail]).toEqual([problem, subject, undefined])
}

// ---------------------------------------------------------------------------------------------------------------------
// The caller's
// ---------------------------------------------------------------------------------------------------------------------

describe("a missing model", () => {
  const unnamed = (model?: string, script?: Gateway.Script) =>
    // @ts-expect-error the type requires one, but not every caller has types
    made(OpenAi.make({ apiKey: key, model, ...once }), script)

  for (const [name, call] of [...calls, ["verify", () => Provider.verify] as const]) {
    for (const model of [undefined, "", "  ", "\n"]) {
      it.live(`of ${JSON.stringify(model)} fails ${name} before anything is sent`, () =>
        Effect.gen(function* () {
          expectUnsent(yield* Effect.flip(call(hello)), "NoModel")
          expect(yield* countRequests).toBe(0)
        }).pipe(Effect.provide(unnamed(model)))
      )
    }
  }

  it.live("in the layer does not matter to a request that names one", () =>
    Effect.gen(function* () {
      yield* Provider.complete({ ...hello, model: "gpt-x" })
      expect(yield* Gateway.requests).toMatchObject([{ body: { model: "gpt-x" } }])
    }).pipe(Effect.provide(unnamed()))
  )

  it.live("does not matter to the list of models", () =>
    Effect.gen(function* () {
      expect(yield* Provider.models).toEqual([])
    }).pipe(Effect.provide(unnamed(undefined, [Gateway.json({ data: [] })])))
  )
})

describe("a key", () => {
  const all = [...calls, ["models", () => Provider.models] as const, ["verify", () => Provider.verify] as const]
  for (const [value, problem] of [
    ["", "Blank"],
    ["   ", "Blank"],
    ["\r\n\t", "Blank"],
    ["two words", "Unsendable"],
    ["two\nlines", "Unsendable"],
    ["tp-s7Qx…A1eU", "Unsendable"],
    ["ключ-123456", "Unsendable"],
    ["tp-\u0000", "Unsendable"],
    ["tp-\u007f", "Unsendable"]
  ] as const) {
    for (const [name, call] of all) {
      it.live(`of ${JSON.stringify(value)} is AuthMissing for ${name}, and nothing is sent`, () =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(call(hello))
          expect(error).toMatchObject({ _tag: "AuthMissing", problem, source: "MIMO_API_KEY", attempts: 0 })
          expect(yield* countRequests).toBe(0)
        }).pipe(Effect.provide(mimo([whole], { key: value })))
      )
    }

    it.live(`of ${JSON.stringify(value)} is AuthMissing for a provider that needs none, too`, () =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(Provider.complete(hello))).toMatchObject({
          _tag: "AuthMissing",
          problem,
          attempts: 0
        })
        expect(yield* countRequests).toBe(0)
      }).pipe(
        Effect.provide(
          made(
            OpenAiCompatible.make({
              id: "any",
              baseUrl: "https://gateway.test",
              model: "m",
              apiKey: Redacted.make(value)
            })
          )
        )
      )
    )
  }

  it.live("that is not configured is not sent to a provider that needs none", () =>
    Effect.gen(function* () {
      yield* Provider.complete(hello)
      const [request] = yield* Gateway.requests
      expect(request?.headers).not.toHaveProperty("authorization")
    }).pipe(Effect.provide(made(OpenAiCompatible.make({ id: "any", baseUrl: "https://gateway.test", model: "m" }))))
  )

  it.live("with white space around it is sent without that", () =>
    Effect.gen(function* () {
      yield* Provider.complete(hello)
      expect(yield* Gateway.requests).toMatchObject([{ headers: { "api-key": plantedKey } }])
    }).pipe(Effect.provide(mimo([whole], { key: ` ${plantedKey}\n` })))
  )
})

describe("a base URL", () => {
  for (const baseUrl of [
    "",
    " ",
    "gateway",
    "gateway.test/v1",
    "//gateway.test/v1",
    "/v1",
    "localhost:8080/v1",
    "http://",
    "https://[::1/v1",
    "ftp://gateway.test/v1",
    "file:///v1",
    "ws://gateway.test",
    "javascript:alert(1)",
    "https://user:secret@gateway.test/v1",
    "https://user@gateway.test/v1"
  ]) {
    it.live(`of ${JSON.stringify(baseUrl)} is InvalidRequest for every call`, () =>
      Effect.gen(function* () {
        for (const [, call] of [...calls, ["models", () => Provider.models] as const]) {
          const error = yield* Effect.flip(call(hello))
          expectUnsent(error, "BadBaseUrl")
          expect(JSON.stringify(error)).not.toContain("secret")
        }
        expect(yield* countRequests).toBe(0)
      }).pipe(Effect.provide(atGateway({ baseUrl })))
    )
  }

  for (const [baseUrl, url] of [
    ["https://gateway.test", "https://gateway.test/chat/completions"],
    ["https://gateway.test/", "https://gateway.test/chat/completions"],
    ["https://gateway.test/v1/", "https://gateway.test/v1/chat/completions"],
    ["  https://gateway.test/v1\n", "https://gateway.test/v1/chat/completions"],
    ["HTTPS://Gateway.Test/v1?version=2", "https://gateway.test/v1/chat/completions?version=2"]
  ] as const) {
    it.live(`of ${JSON.stringify(baseUrl)} is accepted`, () =>
      Effect.gen(function* () {
        yield* Provider.complete(hello)
        expect(yield* Gateway.requests).toMatchObject([{ url }])
      }).pipe(Effect.provide(atGateway({ baseUrl })))
    )
  }
})

describe("a request that cannot be encoded", () => {
  const cycle: Record<string, unknown> = {}
  cycle["self"] = cycle
  const untyped = (request: unknown) => request as Chat.Request
  const requests: ReadonlyArray<readonly [name: string, request: Chat.Request]> = [
    ["a BigInt in extra", { ...hello, extra: { count: 10n } }],
    ["a cycle in extra", { ...hello, extra: cycle }],
    ["a cycle in a tool's parameters", { ...hello, tools: [{ name: "t", parameters: cycle }] }],
    ["a cycle in the schema of the output", { ...hello, output: { schema: cycle } }],
    [
      "a BigInt in a tool call's input",
      {
        messages: [
          Chat.user("?"),
          Chat.assistant("", { toolCalls: [{ id: "1", name: "t", input: { n: 1n } }] }),
          Chat.toolResult({ id: "1", name: "t" }, "1")
        ]
      }
    ],
    ["a toJSON that throws", { ...hello, extra: { a: { toJSON: () => expect.fail("not this one") } } }],
    ["no messages", untyped({})],
    ["messages that are no array", untyped({ messages: "hello" })],
    ["a message of null", untyped({ messages: [null] })],
    ["a message of an unknown role", untyped({ messages: [{ role: "developer", content: "hello" }] })],
    ["a model that is no text", untyped({ ...hello, model: 5 })],
    ["nothing", untyped(undefined)],
    ["null", untyped(null)]
  ]
  for (const [name, request] of requests) {
    for (const [callName, call] of calls) {
      for (const [wire, provider] of [
        ["OpenAI's wire", made(MiMo.make({ apiKey: key, ...once }))],
        ["Anthropic's wire", made(Anthropic.make({ apiKey: key, model: "m", ...once }))]
      ] as const) {
        it.live(`${name}, ${callName} on ${wire}: InvalidRequest, and nothing is sent`, () =>
          Effect.gen(function* () {
            expectUnsent(yield* Effect.flip(call(request)), "Unencodable")
            expect(yield* countRequests).toBe(0)
          }).pipe(Effect.provide(provider))
        )
      }
    }
  }

  it.live("fails where it is run, not where it is written", () =>
    Effect.gen(function* () {
      const provider = yield* Provider.Provider
      const calls = [provider.complete(untyped(undefined)), Stream.runDrain(provider.stream(untyped(undefined)))]
      for (const call of calls) expect(yield* Effect.flip(call)).toMatchObject({ _tag: "InvalidRequest" })
    }).pipe(Effect.provide(atGateway({})))
  )
})

describe("headers of the options", () => {
  const bad: ReadonlyArray<readonly [name: string, value: string]> = [
    ["x-a", "1\r\nx-evil: 1"],
    ["x-a", "1\nx-evil: 1"],
    ["x-a", "1\u0000"],
    ["x-a", "日本"],
    ["x-a", "…"],
    ["", "1"],
    ["x a", "1"],
    ["x:a", "1"],
    ["x-a\n", "1"],
    ["ü", "1"],
    ["(x)", "1"]
  ]
  for (const [name, value] of bad) {
    it.live(`${JSON.stringify({ [name]: value })} is InvalidRequest that names the header, and nothing is sent`, () =>
      Effect.gen(function* () {
        for (const [, call] of [...calls, ["models", () => Provider.models] as const]) {
          const error = yield* Effect.flip(call(hello))
          expectUnsent(error, "BadHeader", name)
        }
        expect(yield* countRequests).toBe(0)
      }).pipe(Effect.provide(atGateway({ headers: { [name]: value } })))
    )
  }

  it.live("are sent, and replace none that the SDK sets", () =>
    Effect.gen(function* () {
      yield* Provider.complete(hello)
      yield* Provider.models
      const [chat, models] = yield* Gateway.requests
      expect(chat?.headers).toMatchObject({
        "x-title": "my program",
        "api-key": plantedKey,
        "content-type": "application/json",
        accept: "application/json"
      })
      for (const request of [chat, models]) {
        expect(request?.headers).toMatchObject({ "x-title": "my program", "api-key": plantedKey })
        expect(JSON.stringify(request?.headers)).not.toContain("evil")
      }
    }).pipe(
      Effect.provide(
        atGateway(
          {
            headers: {
              "X-Title": "my program",
              Authorization: "evil",
              "API-Key": "evil",
              "x-api-key": "evil",
              "Content-Type": "evil/evil",
              "content-length": "evil",
              Host: "evil",
              Accept: "evil/evil"
            }
          },
          [whole, Gateway.json({ data: [] })]
        )
      )
    )
  )

  it.live("do not replace what the wire requires", () =>
    Effect.gen(function* () {
      yield* Effect.ignore(Provider.complete(hello))
      expect(yield* Gateway.requests).toMatchObject([
        { headers: { "anthropic-version": "2023-06-01", "anthropic-beta": "b", "x-api-key": plantedKey } }
      ])
    }).pipe(
      Effect.provide(
        made(
          Anthropic.make({
            apiKey: key,
            model: "m",
            headers: { "Anthropic-Version": "1999-01-01", "anthropic-beta": "b" },
            ...once
          })
        )
      )
    )
  )

  for (const [clientName, client] of clients) {
    for (const [name, value] of Object.entries({
      expect: "100-continue",
      "transfer-encoding": "chunked",
      connection: "upgrade",
      "keep-alive": "timeout=5",
      upgrade: "websocket"
    })) {
      it.live(`${name}, which ${clientName} may refuse to send, is not a transient error`, () =>
        Effect.gen(function* () {
          const { url } = yield* Gateway.Gateway
          const provider = yield* MiMo.make({ apiKey: key, baseUrl: url, headers: { [name]: value }, policy: quick })
          const exit = yield* Effect.exit(provider.complete(hello))
          const tag = Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error._tag : exit._tag
          expect(["Success", "InvalidRequest"]).toContain(tag)
        }).pipe(
          Effect.provide(
            Layer.merge(
              client,
              serve(() => whole)
            )
          )
        )
      )
    }
  }
})

describe("extra fields", () => {
  const extra = { model: "evil", messages: "evil", stream: "evil", temperature: 2, tools: "evil", top_k: 5 }
  const request: Chat.Request = {
    ...hello,
    temperature: 0.5,
    tools: [{ name: "t", parameters: { type: "object" } }]
  }
  const expected = { temperature: 0.5, tools: [{}], top_k: 5, messages: [{ role: "user" }] }

  for (const [name, build] of [
    ["OpenAI's wire", MiMo.make({ apiKey: key, model: "good", extra, ...once })],
    ["Anthropic's wire", Anthropic.make({ apiKey: key, model: "good", extra, ...once })]
  ] as const) {
    it.live(`on ${name} are sent, and replace no field that the SDK sets`, () =>
      Effect.gen(function* () {
        yield* Effect.ignore(Provider.complete(request))
        yield* Effect.ignore(stream(request))
        yield* Effect.ignore(Provider.complete({ ...request, extra: { ...extra, top_k: 7 } }))
        const bodies = (yield* Gateway.requests).map((request) => request.body)
        expect(bodies).toMatchObject([
          { ...expected, model: "good" },
          { ...expected, model: "good", stream: true },
          { ...expected, model: "good", top_k: 7 }
        ])
        expect(JSON.stringify(bodies)).not.toContain("evil")
      }).pipe(Effect.provide(made(build, () => whole)))
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// The server's
// ---------------------------------------------------------------------------------------------------------------------

describe("a tool call whose arguments are not JSON", () => {
  const call = (args: string) => ({
    role: "assistant",
    tool_calls: [{ index: 0, id: "call-1", type: "function", function: { name: "weather", arguments: args } }]
  })

  it.live("fails complete with the tool's name and the arguments", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Provider.complete(hello))
      expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, preview: '{"city": Paris}' })
      expect(error).toMatchObject({ reason: "NotJson", tool: "weather" })
      expect(error.detail).toBeUndefined()
      expect(yield* countRequests).toBe(1)
    }).pipe(
      Effect.provide(
        mimo([
          Gateway.json({
            choices: [{ index: 0, message: call('{"city": Paris}'), finish_reason: "tool_calls" }]
          })
        ])
      )
    )
  )

  it.live("fails a stream after its pieces, without a ToolCall", () =>
    Effect.gen(function* () {
      const { error, events } = yield* readToFailure
      expect(events).toEqual([
        { _tag: "TextDelta", text: "Let me see." },
        { _tag: "ToolCallDelta", id: "call-1", name: "weather", delta: '{"city": Paris}' }
      ])
      expect(error).toMatchObject({
        _tag: "InvalidResponse",
        attempts: 1,
        emitted: true,
        partial: "Let me see.",
        preview: '{"city": Paris}'
      })
      expect(error).toMatchObject({ reason: "NotJson", tool: "weather" })
      expect(error.detail).toBeUndefined()
    }).pipe(
      Effect.provide(
        mimo([
          Gateway.paced(
            "1 millis",
            Gateway.sse([
              chunk({ content: "Let me see." }),
              chunk(call('{"city": Paris}')),
              chunk({}, { finish_reason: "tool_calls" }),
              "[DONE]"
            ])
          )
        ])
      )
    )
  )

  it.live("because the tokens ran out is neither a failure nor a ToolCall", () =>
    Effect.gen(function* () {
      const reply = yield* Chat.collect(Provider.stream(hello))
      expect(reply).toMatchObject({ text: "Let me see.", toolCalls: [], reason: "length" })
    }).pipe(
      Effect.provide(
        mimo([
          Gateway.sse([
            chunk({ content: "Let me see." }),
            chunk(call('{"city": "Par')),
            chunk({}, { finish_reason: "length" }),
            "[DONE]"
          ])
        ])
      )
    )
  )
})

describe("a 2xx that is not an answer", () => {
  const page = "<!doctype html><html><head><title>Sign in</title></head><body>Welcome to the hotel</body></html>"
  const typed = (type: string, body: string) => Gateway.text(body, { headers: { "content-type": type } })

  const answers: ReadonlyArray<readonly [name: string, answer: Gateway.Answer, facts: object]> = [
    ["a page", typed("text/html; charset=utf-8", page), { contentType: "text/html; charset=utf-8" }],
    ["a page said to be JSON", typed("application/json", page), { preview: page.slice(0, 120) }],
    ["a page said to be events", typed("text/event-stream", page), { preview: page.slice(0, 120) }],
    ["text", typed("text/plain", "OK"), { preview: "OK" }],
    ["nothing", typed("application/json", ""), { reason: "Empty" }],
    ["nothing, said to be events", typed("text/event-stream", ""), { reason: "Empty" }],
    ["nothing of any type", { status: 200, headers: {}, body: [] }, { reason: "Empty" }],
    ["white space", typed("application/json", " \n\t "), { reason: "Empty" }],
    ["white space, said to be events", typed("text/event-stream", " \n\n "), { reason: "Empty" }],
    ["a 204", Gateway.status(204), { status: 204, reason: "Empty" }],
    ["broken JSON", typed("application/json", '{"choices": [{"mess'), { preview: '{"choices": [{"mess' }],
    ["JSON null", Gateway.json(null), { preview: "null" }],
    ["a JSON number", Gateway.json(42), { preview: "42" }],
    ["a JSON text", Gateway.json("hello"), { preview: '"hello"' }],
    ["a JSON array", Gateway.json([]), { preview: "[]" }],
    ["an empty object", Gateway.json({}), {}],
    ["no choices", Gateway.json({ choices: [] }), {}],
    ["choices that are none", Gateway.json({ choices: [null, 1, "x"] }), {}],
    ["an event that is not JSON", Gateway.sse(["<html>"]), { preview: "<html>" }],
    ["an event of JSON null", Gateway.sse(["null"]), { preview: "null" }],
    ["[DONE] and nothing else", Gateway.sse(["[DONE]"]), {}]
  ]
  for (const [name, answer, facts] of answers) {
    for (const [callName, call] of calls) {
      it.live(
        `${name}: ${callName} fails with InvalidResponse after 1 request, and the key does not become known good`,
        () =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(call(hello))
            expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, emitted: false, ...facts })
            expect(yield* countRequests).toBe(1)
            expect(yield* knownGood).toBe(false)
          }).pipe(Effect.provide(mimo([answer, whole])))
      )
    }
  }

  for (const [name, answer, facts] of answers.filter(([name]) => !/array|choices|object|event|DONE/.test(name))) {
    it.live(`${name}: models fails with InvalidResponse`, () =>
      Effect.gen(function* () {
        const { reason: _, ...rest } = facts as { readonly reason?: string }
        expect(yield* Effect.flip(Provider.models)).toMatchObject({ _tag: "InvalidResponse", attempts: 1, ...rest })
        expect(yield* countRequests).toBe(1)
      }).pipe(Effect.provide(mimo([answer, whole])))
    )
  }
})

describe("a stream that ends early", () => {
  for (const [name, events] of [
    ["after its role", [chunk({ role: "assistant", content: "" })]],
    ["after a keep-alive", [Gateway.comment("working")]]
  ] as const) {
    it.live(`${name}, before output, is StreamInterrupted: another try may get the answer`, () =>
      Effect.gen(function* () {
        const { error, events } = yield* readToFailure
        expect(events).toEqual([])
        expect(error).toMatchObject({ _tag: "Transient", reason: "StreamInterrupted", emitted: false, attempts: 1 })
      }).pipe(Effect.provide(mimo([Gateway.sse(events)], once)))
    )
  }

  it.live("after output is StreamInterrupted, with the text so far", () =>
    Effect.gen(function* () {
      const { error, events } = yield* readToFailure
      expect(events.map((event) => event._tag)).toEqual(["TextDelta", "TextDelta"])
      expect(error).toMatchObject({
        _tag: "Transient",
        reason: "StreamInterrupted",
        emitted: true,
        partial: "Hello, wor",
        attempts: 1
      })
    }).pipe(Effect.provide(mimo([Gateway.sse([chunk({ content: "Hello, " }), chunk({ content: "wor" })])])))
  )

  it.live("after its finish reason, without [DONE], is complete", () =>
    Effect.gen(function* () {
      const reply = yield* Chat.collect(Provider.stream(hello))
      expect(reply).toMatchObject({ text: "Hi", reason: "stop" })
    }).pipe(Effect.provide(mimo([Gateway.sse([chunk({ content: "Hi" }, { finish_reason: "stop" })])])))
  )

  it.live("in reply to complete is StreamInterrupted, too", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Provider.complete(hello))
      expect(error).toMatchObject({ _tag: "Transient", reason: "StreamInterrupted", emitted: false })
    }).pipe(Effect.provide(mimo([Gateway.sse([chunk({ content: "Hello, " })])], once)))
  )
})

describe("an answer of the other kind", () => {
  it.live("JSON instead of a stream is the whole answer", () =>
    Effect.gen(function* () {
      const reply = yield* Chat.collect(Provider.stream(hello))
      expect(reply).toMatchObject({ text: "Hello, world", reason: "stop", usage: { totalTokens: 8 } })
    }).pipe(Effect.provide(mimo([whole])))
  )

  it.live("an error in JSON instead of a stream is that error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
      expect(error).toMatchObject({ _tag: "Transient", reason: "RateLimited", status: 200, detail: "slow down" })
    }).pipe(
      Effect.provide(mimo([Gateway.json({ error: { message: "slow down", code: "rate_limit_exceeded" } })], once))
    )
  )

  it.live("JSON with the content type of a stream is InvalidResponse that shows it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(Provider.stream(hello)))
      expect(error).toMatchObject({
        _tag: "InvalidResponse",
        preview: '{"error":"no"}',
        contentType: "text/event-stream"
      })
    }).pipe(
      Effect.provide(mimo([Gateway.json({ error: "no" }, { headers: { "content-type": "text/event-stream" } })], once))
    )
  )

  for (const type of ["text/event-stream", "application/json", "text/plain"]) {
    it.live(`a stream instead of JSON, with the content type ${type}, is the whole answer`, () =>
      Effect.gen(function* () {
        expect(yield* Provider.complete(hello)).toMatchObject({ text: "Hello, world", reason: "stop" })
      }).pipe(Effect.provide(mimo([{ ...streamed, headers: { "content-type": type } }])))
    )
  }
})

describe("a body that is too large", () => {
  const mebibyte = new TextEncoder().encode("lorem ipsum dolor ".repeat(58_255))

  /** It was abandoned before its end. */
  const brokenOff = Effect.map(Gateway.requests, (requests) => expect(requests).toMatchObject([{ aborted: true }]))

  it.live("fails complete before it is read to its end", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Provider.complete(hello))
      expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, reason: "TooLarge" })
      yield* brokenOff
    }).pipe(Effect.provide(mimo([{ ...whole, body: times(80, mebibyte) }])))
  )

  it.live("fails a stream, if it is one event, before it is read to its end", () =>
    Effect.gen(function* () {
      const { error } = yield* readToFailure
      expect(error).toMatchObject({ _tag: "InvalidResponse", attempts: 1, reason: "TooLarge" })
      yield* brokenOff
    }).pipe(Effect.provide(mimo([{ ...streamed, body: [new TextEncoder().encode("data: "), ...times(40, mebibyte)] }])))
  )

  // A search that starts anew at every letter of a word takes quadratic time.
  for (const [name, word] of [
    ["of one long word", "x"],
    ["of angle brackets", "<"]
  ] as const) {
    it.live(`nor does a body ${name} take long to describe`, () => {
      const described = (length: number) => {
        const body = word.repeat(length)
        return Effect.gen(function* () {
          expect(yield* Effect.flip(Provider.complete(hello))).toMatchObject({ _tag: "InvalidResponse" })
          expect(yield* Effect.flip(Provider.complete(hello))).toMatchObject({ _tag: "Transient", status: 200 })
        }).pipe(Effect.provide(mimo([Gateway.text(body), Gateway.json({ error: { message: body } })], once)))
      }
      return Effect.map(Cost.growthOf(described(65_536), described(262_144)), (growth) =>
        expect(growth).toBeLessThan(8)
      )
    })
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// Keys that are shared, and keys that change
// ---------------------------------------------------------------------------------------------------------------------

const atHost = (host: string, credential: Credential.Credential) =>
  MiMo.make({ baseUrl: `https://${host}`, credential, policy: quick })

describe("one credential", () => {
  it.live("at two hosts is InvalidRequest at the second, where nothing is sent, and still works at the first", () =>
    Effect.gen(function* () {
      const credential = yield* Credential.make({ apiKey: key, source: "SHARED_KEY" })
      const first = yield* atHost("one.test", credential)
      const second = yield* atHost("two.test", credential)
      for (const call of [
        second.complete(hello),
        Stream.runDrain(second.stream(hello)),
        second.models,
        second.verify
      ]) {
        const error = yield* Effect.flip(call)
        expectUnsent(error, "ForeignCredential", "https://one.test")
      }
      expect(yield* countRequests).toBe(0)
      expect((yield* first.complete(hello)).text).toBe("Hello, world")
      expect((yield* Gateway.requests).map(({ url }) => new URL(url).host)).toEqual(["one.test"])
    }).pipe(Effect.provide(Gateway.layer([whole])))
  )

  it.live("another port or scheme is another host", () =>
    Effect.gen(function* () {
      const credential = yield* Credential.make({ apiKey: key, source: "SHARED_KEY" })
      yield* atHost("one.test", credential)
      expectUnsent(
        yield* Effect.flip((yield* atHost("one.test:8080", credential)).complete(hello)),
        "ForeignCredential",
        "https://one.test"
      )
      const plain = yield* MiMo.make({ baseUrl: "http://one.test", allowInsecure: true, credential, ...once })
      expectUnsent(yield* Effect.flip(plain.complete(hello)), "ForeignCredential", "https://one.test")
    }).pipe(Effect.provide(Gateway.layer([whole])))
  )

  it.live("of two layers at one host shares the flag: what one proves, the other knows", () =>
    Effect.gen(function* () {
      const credential = yield* Credential.make({ apiKey: key, source: "SHARED_KEY" })
      const first = yield* atHost("one.test/v1", credential)
      const second = yield* atHost("one.test/v2", credential)
      yield* first.complete(hello)
      expect((yield* second.complete(hello)).text).toBe("Hello, world")
      expect(yield* countRequests).toBe(3)
    }).pipe(Effect.provide(Gateway.layer([whole, refused(), whole])))
  )

  it.live("two of one key share nothing", () =>
    Effect.gen(function* () {
      const first = yield* MiMo.make({ baseUrl: "https://one.test", apiKey: key, policy: quick })
      const second = yield* MiMo.make({ baseUrl: "https://one.test", apiKey: key, policy: quick })
      yield* first.complete(hello)
      expect(yield* Effect.flip(second.complete(hello))).toMatchObject({ _tag: "AuthRejected", knownGood: false })
    }).pipe(Effect.provide(Gateway.layer([whole, refused(), whole])))
  )
})

describe("a key that rotates", () => {
  /** The keys in turn, one for each read. */
  const turning = (...keys: ReadonlyArray<Redacted.Redacted>) =>
    Effect.map(Ref.make(0), (reads) =>
      Effect.flatMap(
        Ref.getAndUpdate(reads, (n) => n + 1),
        (n) => Effect.fromNullable(keys[n])
      )
    )

  const rotating = (script: Gateway.Script, ...keys: ReadonlyArray<Redacted.Redacted>) =>
    made(
      Effect.flatMap(turning(...keys), (apiKey) =>
        MiMo.make({ baseUrl: "https://gateway.test", apiKey, policy: quick })
      ),
      script
    )

  const sentKeys = Effect.map(Gateway.requests, (requests) => requests.map(({ headers }) => headers["api-key"]))

  it.live("is read before every attempt: the second attempt has the new key", () =>
    Effect.gen(function* () {
      yield* Provider.complete(hello)
      expect(yield* sentKeys).toEqual([plantedKey, Redacted.value(secondKey)])
    }).pipe(Effect.provide(rotating([failed(503), whole], key, secondKey)))
  )

  it.live("is not known good just because its predecessor was", () =>
    Effect.gen(function* () {
      yield* accept
      const error = yield* Effect.flip(Provider.complete(hello))
      expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 1 })
      expect(yield* sentKeys).toEqual([plantedKey, Redacted.value(secondKey)])
    }).pipe(Effect.provide(rotating([whole, ...times(9, refused())], key, secondKey, secondKey, secondKey)))
  )

  it.live("during the auth retries of a known-good one is tried once", () =>
    Effect.gen(function* () {
      yield* accept
      const error = yield* Effect.flip(Provider.complete(hello))
      expect(error).toMatchObject({ _tag: "AuthRejected", knownGood: false, attempts: 2 })
      expect((yield* sentKeys).slice(1)).toEqual([plantedKey, Redacted.value(secondKey)])
    }).pipe(Effect.provide(rotating([whole, ...times(9, refused())], key, key, secondKey, secondKey)))
  )

  it.live("and cannot be read is AuthMissing, and nothing is sent", () =>
    Effect.gen(function* () {
      for (const [, call] of [...calls, ["models", () => Provider.models] as const]) {
        expect(yield* Effect.flip(call(hello))).toMatchObject({
          _tag: "AuthMissing",
          problem: "Unreadable",
          source: "MIMO_API_KEY",
          attempts: 0
        })
      }
      expect(yield* countRequests).toBe(0)
    }).pipe(Effect.provide(rotating([whole])))
  )

  it.live("and cannot be read for the second attempt is AuthMissing that reports the first", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Provider.complete(hello))
      expect(error).toMatchObject({ _tag: "AuthMissing", problem: "Unreadable", attempts: 1 })
      expect(error.history.map(({ reason, status }) => [status, reason])).toEqual([[503, "Overloaded"]])
      expect(yield* countRequests).toBe(1)
    }).pipe(Effect.provide(rotating([failed(503), whole], key)))
  )

  it.live("to white space is AuthMissing, too", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(Provider.complete(hello))).toMatchObject({ _tag: "AuthMissing", problem: "Blank" })
    }).pipe(Effect.provide(rotating([whole], Redacted.make(" "))))
  )
})
