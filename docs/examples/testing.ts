import { createServer } from "node:http"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Redacted, TestClock } from "effect"
import { Anthropic, Chat, MiMo, OpenAi, OpenAiCompatible, Provider } from "knowngood"
import { Errors, Gateway, Jitter, TestProvider } from "knowngood/testing"

// What is tested: a program that shows an answer as it comes, and says in words what went wrong.
const ask = (question: string, show: (text: string) => void = () => undefined) =>
  Provider.listen({ messages: [Chat.user(question)] }, (event) => {
    if (event._tag === "TextDelta") show(event.text)
  }).pipe(
    Effect.map(({ text }) => text),
    Effect.catchTags({
      QuotaExceeded: () => Effect.succeed("Please top up your account."),
      Transient: ({ partial = "", retryAfter = Duration.zero }) =>
        Effect.succeed(`${partial}… (again in ${Duration.toSeconds(retryAfter)} s)`)
    })
  )

const apiKey = Redacted.make("a-key-for-tests")

describe("a scripted gateway", () => {
  const script = [
    Gateway.reply("Hello"),
    Gateway.replies(["Let me ", "see.", { _tag: "ToolCall", name: "get_weather", input: { city: "Rome" } }]),
    Gateway.outOfCredit
  ]
  const providers = [
    OpenAi.layer({ apiKey, model: "gpt-5" }),
    OpenAi.layer({ apiKey, model: "gpt-5", wire: "responses" }),
    Anthropic.layer({ apiKey, model: "claude-sonnet-5" })
  ]

  for (const provider of providers) {
    it.effect("answers the provider that asks, in the words of its wire", () =>
      Effect.gen(function* () {
        expect(yield* ask("Hi")).toBe("Hello")
        expect(yield* ask("Rain in Rome?")).toBe("Let me see.")
        expect(yield* ask("And in Oslo?")).toBe("Please top up your account.")
        const [first] = yield* Gateway.requests
        expect(JSON.stringify(first?.body)).toContain("Hi")
      }).pipe(Effect.provide(Layer.provideMerge(provider, Gateway.layer(script))))
    )
  }
})

describe("the test clock", () => {
  const gateway = Gateway.layer([
    Gateway.overloaded(),
    Gateway.rateLimited("5 seconds"),
    Gateway.reply("Hello"),
    Gateway.rateLimited("10 minutes")
  ])

  it.effect("moves every wait, and without jitter each is exact", () =>
    Effect.gen(function* () {
      const answer = yield* Effect.fork(ask("Hi"))
      yield* TestClock.adjust("5500 millis") // half a second of backoff, then the five seconds that the server names
      expect(yield* Fiber.join(answer)).toBe("Hello")
      expect((yield* Gateway.requests).map(({ at }) => at)).toEqual([0, 500, 5500])
      expect(yield* ask("Hi")).toBe("… (again in 600 s)") // too long to wait for, so the program is told
    }).pipe(Effect.provide(Layer.provideMerge(MiMo.layer({ apiKey }), gateway)), Effect.provide(Jitter.none))
  )
})

describe("trouble on the way", () => {
  const provider = OpenAi.layer({
    apiKey,
    model: "gpt-5",
    policy: { transientRetries: 0 },
    timeouts: { idle: "1 minute" }
  })

  for (const [name, trouble] of [
    ["breaks off", Gateway.dropAfter(["Hel", "lo"])],
    ["fails in the middle", Gateway.failAfter(["Hel", "lo"])],
    ["says nothing more", Gateway.stallAfter(["Hel", "lo"])]
  ] as const) {
    it.effect(`an answer that ${name} leaves what came`, () =>
      Effect.gen(function* () {
        const answer = yield* Effect.fork(ask("Hi"))
        yield* TestClock.adjust("1 minute")
        expect(yield* Fiber.join(answer)).toBe("Hello… (again in 0 s)")
      }).pipe(Effect.provide(Layer.provide(provider, Gateway.layer([trouble]))))
    )
  }
})

describe("a provider without HTTP", () => {
  it.effect("says what the script says, and remembers what it was asked", () =>
    Effect.gen(function* () {
      expect(yield* ask("Hi")).toBe("Hello")
      yield* TestProvider.push(TestProvider.reply("Hello again"))
      expect(yield* ask("Hi")).toBe("Hello again")
      expect(yield* TestProvider.requests).toHaveLength(2)
    }).pipe(Effect.provide(TestProvider.layer([TestProvider.reply("Hello")])))
  )

  it.effect("holds an answer back until it is told", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const held = TestProvider.layer([TestProvider.delay(Deferred.await(gate), TestProvider.reply("Hello"))])
      const answer = yield* Effect.fork(Effect.provide(ask("Hi"), held))
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(answer)).toBe("Hello")
    })
  )

  it.effect("is written as the test goes, so that half an answer can be looked at", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const { answer, fail, taken, write } = yield* TestProvider.written
      const asking = ask("Hi", (text) => shown.push(text))
      const fiber = yield* Effect.fork(Effect.provide(asking, TestProvider.layer(answer)))
      yield* write("Hel", "lo")
      yield* taken
      expect(shown).toEqual(["Hel", "lo"])
      yield* fail(Errors.transient({ reason: "StreamInterrupted" }))
      expect(yield* Fiber.join(fiber)).toBe("Hello… (again in 0 s)")
    })
  )
})

describe("errors", () => {
  const limited = Errors.transient({ reason: "RateLimited", retryAfter: Duration.seconds(90) })

  for (const [error, words] of [
    [Errors.quotaExceeded(), "Please top up your account."],
    [limited, "… (again in 90 s)"]
  ] as const) {
    it.effect(`${error._tag} is put into words`, () =>
      Effect.gen(function* () {
        expect(yield* ask("Hi")).toBe(words)
      }).pipe(Effect.provide(TestProvider.layer([TestProvider.fail(error)])))
    )
  }

  it.effect("the others are left to whoever asks", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask("Hi"))
      expect({ ...error }).toMatchObject({ _tag: "AuthRejected", knownGood: true, attempts: 3 })
    }).pipe(Effect.provide(TestProvider.layer([TestProvider.fail(Errors.authRejected({ knownGood: true }))])))
  )
})

describe("real sockets", () => {
  const server = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })
  const gateway = Gateway.serve([Gateway.replies(["Hel", "lo"]), Gateway.refused(404)])
  const provider = Layer.unwrapEffect(
    Effect.map(Gateway.Gateway, ({ url }) =>
      OpenAiCompatible.layer({ id: "local", baseUrl: `${url}/v1`, model: "m", apiKey })
    )
  )

  it.live("carry the same script", () =>
    Effect.gen(function* () {
      expect(yield* ask("Hi")).toBe("Hello")
      const error = yield* Effect.flip(Provider.verify)
      expect({ ...error }).toMatchObject({ _tag: "InvalidRequest", reason: "ModelNotFound", status: 404 })
    }).pipe(
      Effect.provide(provider),
      Effect.provide(Layer.merge(Layer.provide(gateway, server), NodeHttpClient.layerUndici))
    )
  )
})
