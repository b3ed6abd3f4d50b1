/** The examples of the documentation: they run, and the README shows the one that it shows. */
import { readFileSync } from "node:fs"
import { FetchHttpClient } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, ConfigProvider, Effect, Layer, Logger, Redacted, Stream } from "effect"
import { Anthropic, Chat, MiMo, OpenAi, OpenAiCompatible, Provider } from "knowngood"
import { Gateway } from "knowngood/testing"
import { answer, Orders } from "../../docs/examples/agent.js"
import { fake, limited, thrifty } from "../../docs/examples/middleware.js"
import { mood, reviews } from "../../docs/examples/objects.js"
import { Nimbus } from "../../docs/examples/preset.js"
import { inChinese, notices } from "../../docs/examples/retryNotices.js"
// Its tests are among the tests of this file.
import "../../docs/examples/testing.js"
import { ask } from "../../docs/examples/tools.js"
import { temperature, Weather } from "../../docs/examples/transformClient.js"
import { serve } from "../Loopback.js"

const provider = (script: Gateway.Script) =>
  Layer.provideMerge(
    OpenAiCompatible.layer({
      id: "test",
      baseUrl: "https://gateway.test/v1",
      model: "m",
      apiKey: Redacted.make("k-1")
    }),
    Gateway.layer(script)
  )

const says = (message: object, finish_reason = "stop") => Gateway.json({ choices: [{ message, finish_reason }] })

describe("the README", () => {
  for (const name of ["quickstart", "transformClient"]) {
    it(`shows docs/examples/${name}.ts to the letter`, () => {
      expect(readFileSync("README.md", "utf8")).toContain(readFileSync(`docs/examples/${name}.ts`, "utf8"))
    })
  }
})

describe("docs/testing.md", () => {
  it("shows docs/examples/testing.ts to the letter, a piece at a time", () => {
    const page = readFileSync("docs/testing.md", "utf8")
    const blocks = Array.from(page.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ([, block = ""]) => block)
    expect(blocks.length).toBeGreaterThan(5)
    expect(blocks.join("\n")).toBe(readFileSync("docs/examples/testing.ts", "utf8"))
    for (const block of blocks) expect(block.split("\n").length).toBeLessThan(50)
  })
})

describe("tools.ts", () => {
  it.effect("runs the tools that the model calls, reports a misfit to it, and ends with its answer", () =>
    Effect.gen(function* () {
      expect(yield* ask("Rain in Rome?")).toBe("No rain.")
      const [, second, third] = yield* Gateway.requests
      expect(second?.body).toMatchObject({
        messages: [{}, {}, { role: "tool", content: expect.stringContaining("city") }]
      })
      expect(third?.body).toMatchObject({
        messages: [{}, {}, {}, {}, { role: "tool", content: "21 °C and clear in Rome" }]
      })
    }).pipe(
      Effect.provide(
        provider([
          says(
            { tool_calls: [{ id: "a", function: { name: "get_weather", arguments: '{"town":"Rome"}' } }] },
            "tool_calls"
          ),
          says(
            { tool_calls: [{ id: "b", function: { name: "get_weather", arguments: '{"city":"Rome"}' } }] },
            "tool_calls"
          ),
          says({ content: "No rain." })
        ])
      )
    )
  )
})

describe("agent.ts", () => {
  const script: Gateway.Script = [
    Gateway.toolCall("find_order", { order: 7 }, { usage: { inputTokens: 10, outputTokens: 1 } }),
    Gateway.replies(
      [
        "Let me see. ",
        { _tag: "ToolCall", name: "find_order", input: { order: 42 } },
        { _tag: "ToolCall", name: "refund", input: { order: 42, cents: "all" } }
      ],
      { usage: { inputTokens: 50, outputTokens: 5 } }
    ),
    Gateway.toolCall("refund", { order: 42, cents: 1900 }, { usage: { inputTokens: 90, outputTokens: 10 } }),
    Gateway.reply("A colleague will see to it.", { usage: { inputTokens: 100, outputTokens: 5 } })
  ]
  const at = { apiKey: Redacted.make("k-1"), model: "m" }
  const wires = [
    ["OpenAI's chat completions", (baseUrl: string) => OpenAiCompatible.make({ ...at, id: "test", baseUrl })],
    ["Anthropic's messages", (baseUrl: string) => Anthropic.make({ ...at, baseUrl })]
  ] as const

  for (const [wire, make] of wires) {
    it.live(`takes four steps over HTTP with ${wire}: a tool fails, a call does not fit, one is not approved`, () =>
      Effect.gen(function* () {
        const provider = yield* make((yield* Gateway.Gateway).url)
        const shown: Array<string> = []
        const outcome = yield* answer("My order 7 is broken.", (line) => Effect.sync(() => shown.push(line))).pipe(
          Effect.provideService(Provider.Provider, provider),
          Effect.provide(Orders.Default)
        )
        expect(shown.toSorted()).toEqual([
          "1. find_order: Failed",
          "2. find_order: Returned",
          "2. refund: Misfit",
          "3. refund: Refused"
        ])
        expect([outcome._tag, outcome.steps.length, outcome.reply.text]).toEqual([
          "Done",
          4,
          "A colleague will see to it."
        ])
        expect(outcome.usage).toMatchObject({ inputTokens: 250, outputTokens: 21 })
        const told = outcome.messages.flatMap((message) => (message.role === "tool" ? [message.content] : []))
        expect(told).toEqual([
          "There is no order 7.",
          '{"customer":"ada@example.com","paid":1900,"shipped":"2026-01-02T00:00:00.000Z"}',
          'The arguments do not fit:\ncents: expected integer above 0, got "all"',
          "A human decides on more than 1000 cents."
        ])
        const last = JSON.stringify((yield* Gateway.requests).at(-1)?.body)
        for (const result of told) expect(last).toContain(JSON.stringify(result))
      }).pipe(Effect.provide(Layer.merge(FetchHttpClient.layer, serve(script))))
    )
  }
})

describe("middleware.ts", () => {
  it.effect("a fake answers, a budget refuses, and a cache between program and layer spends nothing twice", () =>
    Effect.gen(function* () {
      const provider = yield* limited(fake("Hi"), 1)
      const request = { messages: [Chat.user("hi")] }
      expect((yield* provider.complete(request)).text).toBe("Hi")
      expect(yield* Effect.flip(provider.complete(request))).toMatchObject({ _tag: "QuotaExceeded", provider: "fake" })

      const twice = Effect.all([Provider.complete(request), Provider.complete(request)])
      const replies = yield* Effect.provide(twice, thrifty)
      expect(replies.map(({ text }) => text)).toEqual(["Hi", "Hi"])
      expect(yield* Gateway.requests).toHaveLength(1)
    }).pipe(Effect.provide(provider([says({ content: "Hi" })])))
  )
})

describe("objects.ts", () => {
  const [good, bad] = [
    { product: "kettle", stars: 5 },
    { product: "lamp", stars: 2, complaint: "flickers" }
  ]
  const wires = {
    openai: OpenAi.layer({ model: "m", apiKey: Redacted.make("k-1") }),
    anthropic: Anthropic.layer({ model: "m", apiKey: Redacted.make("k-1") }),
    "a model that was told in words": MiMo.layer({ apiKey: Redacted.make("k-1") })
  }
  for (const [name, layer] of Object.entries(wires)) {
    it.effect(`gives the same values on every wire: ${name}`, () =>
      Effect.gen(function* () {
        expect(yield* reviews("The kettle is great. The lamp flickers.")).toEqual([good, bad])
        expect(yield* mood("The kettle is great.")).toBe("glad")
        expect(yield* mood("The kettle is a kettle.")).toBe("neither")
      }).pipe(
        Effect.provide(layer),
        Effect.provide(
          Gateway.layer([
            Gateway.reply(JSON.stringify({ value: [{ ...good, complaint: null }, bad] })),
            Gateway.reply('Of course:\n```json\n{"value":"glad"}\n```'),
            Gateway.reply("I cannot tell.")
          ])
        )
      )
    )
  }
})

describe("retryNotices.ts", () => {
  it.live("logs each retry, in English or in Chinese", () =>
    Effect.gen(function* () {
      const call = Provider.complete({ messages: [Chat.user("hi")] })
      const english = yield* call.pipe(Effect.provide(notices))
      const chinese = yield* inChinese(call)
      expect([english.text, chinese.text]).toEqual(["Hi", "Hi"])
    }).pipe(
      Effect.provide(
        provider([Gateway.status(503), says({ content: "Hi" }), Gateway.status(503), says({ content: "Hi" })])
      )
    )
  )
})

describe("preset.ts", () => {
  const request = { messages: [Chat.user("hi")], maxTokens: 9 }
  const texts = Provider.stream(request).pipe(Chat.textOnly, Stream.runCollect, Effect.map(Chunk.join("")))
  const spoken = Gateway.sse([
    { choices: [{ delta: { content: "Hel" } }] },
    { choices: [{ delta: { content: "lo" }, finish_reason: "stop" }] },
    "[DONE]"
  ])

  it.effect("streams text with a good key, from the region's host, in the host's words", () =>
    Effect.gen(function* () {
      expect(yield* texts).toBe("Hello")
      expect(yield* Gateway.requests).toMatchObject([
        {
          url: "https://us.nimbus.example/v1/chat/completions",
          headers: { "x-nimbus-key": "k-1" },
          body: { model: "nimbus-1", max_completion_tokens: 9 }
        }
      ])
    }).pipe(
      Effect.provide(Nimbus.layer({ region: "us", apiKey: Redacted.make("k-1") })),
      Effect.provide(Gateway.layer([spoken]))
    )
  )

  it.effect("says that a wrong key was refused, and where it came from", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(texts)).toMatchObject({
        _tag: "AuthRejected",
        provider: "nimbus",
        source: "NIMBUS_API_KEY",
        attempts: 1
      })
    }).pipe(
      Effect.provide(Nimbus.layer({ apiKey: Redacted.make("k-2") })),
      Effect.provide(Gateway.layer([Gateway.status(401)]))
    )
  )

  it.effect("reads its variable, and names it if it is not set", () => {
    const configured = (variables: ReadonlyArray<readonly [string, string]>) =>
      Effect.provide(
        texts,
        Layer.provide(Nimbus.layerConfig({}), Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables))))
      )
    return Effect.gen(function* () {
      expect(yield* configured([["NIMBUS_API_KEY", "k-3"]])).toBe("Hello")
      expect(yield* Gateway.requests).toMatchObject([
        { url: "https://eu.nimbus.example/v1/chat/completions", headers: { "x-nimbus-key": "k-3" } }
      ])
      expect(yield* Effect.flip(configured([]))).toMatchObject({ _tag: "AuthMissing", source: "NIMBUS_API_KEY" })
    }).pipe(Effect.provide(Gateway.layer([spoken])))
  })
})

describe("transformClient.ts", () => {
  const logged: Array<unknown> = []
  const at = (script: Gateway.Script, variables: ReadonlyArray<readonly [string, string]>) =>
    Layer.provideMerge(Weather.layer, Gateway.layer(script)).pipe(
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(variables)))),
      Layer.provideMerge(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => {
            logged.push(message)
          })
        )
      )
    )

  it.live("sends its key to its host, tries again after a 503, and explains a refusal", () =>
    Effect.gen(function* () {
      expect(yield* temperature("Rome")).toEqual({ celsius: 21 })
      const [, second] = yield* Gateway.requests
      expect(second).toMatchObject({
        url: "https://api.weather.example/v1/now?city=Rome",
        headers: { "x-api-key": "k-1" }
      })
      expect(yield* Effect.flip(temperature("Atlantis"))).toMatchObject({
        _tag: "ResponseError",
        reason: "StatusCode",
        response: { status: 404 }
      })
      expect(String(logged.at(-1))).toContain("no such city")
    }).pipe(
      Effect.provide(
        at(
          [Gateway.status(503), Gateway.json({ celsius: 21 }), Gateway.status(404, { error: "no such city" })],
          [["WEATHER_KEY", "k-1"]]
        )
      )
    )
  )

  it.live("sends nothing without a key, and names the variable", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(temperature("Rome"))).toMatchObject({
        _tag: "RequestError",
        cause: { _tag: "AuthMissing", source: "WEATHER_KEY" }
      })
      expect(String(logged.at(-1))).toContain("WEATHER_KEY")
      expect(yield* Gateway.requests).toEqual([])
    }).pipe(Effect.provide(at([], [])))
  )
})
