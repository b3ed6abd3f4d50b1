/** Answers that are written for the wire that asks: one script, each wire, streamed and whole. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, FastCheck as fc, Layer, Redacted, Stream, TestClock } from "effect"
import { Anthropic, Chat, OpenAi, OpenAiCompatible, Provider, RetryPolicy } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { growth } from "../Cost.js"
import { runs } from "../Effort.js"
import { hello, patiently } from "../Wire.js"

const setup = { apiKey: Redacted.make("k-1"), policy: () => RetryPolicy.none, timeouts: { idle: "1 minute" } } as const

const wires = [
  ["OpenAI's wire", OpenAiCompatible.layer({ ...setup, id: "openai", baseUrl: "https://host.test/v1", model: "m-1" })],
  ["Anthropic's wire", Anthropic.layer({ ...setup, model: "m-1" })],
  ["OpenAI's Responses", OpenAi.layer({ ...setup, model: "m-1", wire: "responses" })]
] as const

const ways = [
  ["streamed", (request: Chat.Request) => Chat.collect(Provider.stream(request))],
  ["whole", Provider.complete]
] as const

/** What a call gets of the script. */
const asked = <A, E>(
  call: Effect.Effect<A, E, Provider.Provider>,
  wire: (typeof wires)[number][1],
  script: Gateway.Script
) => Effect.provide(call, Layer.provide(wire, Gateway.layer(script)))

const city = { name: "get_weather", input: { city: "Rome", days: [1, 2], é: null } }

for (const [wireName, wire] of wires) {
  for (const [wayName, way] of ways) {
    describe(`${wireName}, ${wayName}`, () => {
      const ask = (script: Gateway.Script, request = hello) => asked(way(request), wire, script)
      const failure = (script: Gateway.Script) => Effect.flip(ask(script))

      it.effect("reply: a text, with a finish, a usage, and the model that was asked", () =>
        Effect.gen(function* () {
          expect(yield* ask([Gateway.reply("Hello")], { ...hello, model: "m-2" })).toMatchObject({
            text: "Hello",
            reasoning: "",
            toolCalls: [],
            reason: "stop",
            model: "m-2",
            usage: { inputTokens: 10, outputTokens: 5 }
          })
        })
      )

      it.effect("reply: whatever the options say", () =>
        Effect.gen(function* () {
          const usage = { inputTokens: 100, outputTokens: 50, cachedInputTokens: 80, reasoningTokens: 20 }
          const options = { reasoning: "Hm.", reason: "length", usage, model: "m-3", id: "id-3" } as const
          const { message, ...reply } = yield* ask([Gateway.reply("Hel", options)])
          expect(reply).toMatchObject({
            text: "Hel",
            reasoning: "Hm.",
            reason: "length",
            model: "m-3",
            id: "id-3",
            usage
          })
          expect(message).toMatchObject({ content: "Hel", reasoning: "Hm." })
        })
      )

      for (const reason of ["stop", "length", "tool-calls", "content-filter"] as const) {
        // Responses have no word for it: an answer ends with calls if there are calls in it.
        if (reason === "tool-calls" && wireName === "OpenAI's Responses") continue
        it.effect(`reply: it ended with ${reason}`, () =>
          Effect.gen(function* () {
            expect((yield* ask([Gateway.reply("Hi", { reason })])).reason).toBe(reason)
          })
        )
      }

      it.effect("reply: a refusal, apart from the text", () =>
        Effect.gen(function* () {
          const script = [Gateway.reply("", { refusal: "I cannot.", reason: "content-filter" })]
          expect(yield* ask(script)).toMatchObject({ text: "", refusal: "I cannot.", reason: "content-filter" })
        })
      )

      it.effect("toolCall: one call, with an id that no other answer of the script has", () =>
        Effect.gen(function* () {
          const script = [Gateway.toolCall(city.name, city.input), Gateway.toolCall(city.name, {})]
          const both = Effect.all([way(hello), way(hello)])
          const [first, second] = yield* asked(both, wire, script)
          expect(first).toMatchObject({ text: "", toolCalls: [city], reason: "tool-calls" })
          expect(second.toolCalls).toMatchObject([{ name: city.name, input: {} }])
          expect(first.toolCalls[0]?.id).not.toBe(second.toolCalls[0]?.id)
        })
      )

      it.effect("toolCall: with the id that it is given", () =>
        Effect.gen(function* () {
          const { toolCalls } = yield* ask([Gateway.toolCall(city.name, city.input, { callId: "call-7" })])
          expect(toolCalls).toEqual([{ id: "call-7", ...city }])
        })
      )

      it.effect("replies: thinking, text and several calls in one answer", () =>
        Effect.gen(function* () {
          const reply = yield* ask([
            Gateway.replies([
              { _tag: "ReasoningDelta", text: "Two cities." },
              "Let me ",
              { _tag: "TextDelta", text: "see." },
              { _tag: "ToolCall", ...city },
              { _tag: "ToolCall", id: "b", name: "get_time", input: {} }
            ])
          ])
          expect(reply).toMatchObject({ reasoning: "Two cities.", text: "Let me see.", reason: "tool-calls" })
          expect(reply.toolCalls).toMatchObject([city, { id: "b", name: "get_time", input: {} }])
          expect(reply.toolCalls[0]?.id).not.toBe("b")
        })
      )

      it.effect(
        "replies: a call in pieces is one call, also if the whole of it follows, as events of an answer do",
        () =>
          Effect.gen(function* () {
            const pieces = ['{"city":', '"Rome"}'].map(
              (delta) => ({ _tag: "ToolCallDelta", id: "a", name: "w", delta }) as const
            )
            const called = { id: "a", name: "w", input: { city: "Rome" } }
            for (const events of [pieces, [...pieces, { _tag: "ToolCall", ...called } as const]]) {
              expect((yield* ask([Gateway.replies(events)])).toolCalls).toEqual([called])
            }
          })
      )

      it.effect("replies: the pieces of two calls may come in turns", () =>
        Effect.gen(function* () {
          const piece = (id: string, delta: string) => ({ _tag: "ToolCallDelta", id, name: id, delta }) as const
          const script = [
            Gateway.replies([piece("a", '{"n"'), piece("b", '{"n"'), piece("a", ":1}"), piece("b", ":2}")])
          ]
          const { toolCalls } = yield* ask(script)
          expect(toolCalls).toMatchObject([
            { id: "a", input: { n: 1 } },
            { id: "b", input: { n: 2 } }
          ])
        })
      )

      it.effect("replies: none are an answer without a word", () =>
        Effect.gen(function* () {
          expect(yield* ask([Gateway.replies([])])).toMatchObject({ text: "", toolCalls: [], reason: "stop" })
        })
      )

      it.effect("replies: the Finish of an answer is the answer's", () =>
        Effect.gen(function* () {
          const usage = { ...Chat.unknownUsage, inputTokens: 7, outputTokens: 8 }
          const finish = { reason: "length", rawReason: "x", usage, model: "m-9", id: "id-9" } as const
          const { message: _, ...reply } = yield* ask([Gateway.replies(["Hi", { _tag: "Finish", ...finish }])])
          expect(reply).toMatchObject({ text: "Hi", reason: "length", model: "m-9", id: "id-9" })
          expect(reply.usage).toMatchObject({ inputTokens: 7, outputTokens: 8 })
        })
      )

      for (const [status, facts] of [
        [400, { _tag: "InvalidRequest", reason: "BadRequest" }],
        [401, { _tag: "AuthRejected" }],
        [402, { _tag: "QuotaExceeded" }],
        [403, { _tag: "AuthRejected" }],
        [404, { _tag: "InvalidRequest" }],
        [413, { _tag: "InvalidRequest", reason: "TooLarge" }],
        [429, { _tag: "Transient", reason: "RateLimited" }],
        [500, { _tag: "Transient", reason: "ServerError" }],
        [503, { _tag: "Transient", reason: "Overloaded" }],
        [529, { _tag: "Transient", reason: "Overloaded" }],
        [418, { _tag: "InvalidRequest", reason: "BadRequest" }]
      ] as const) {
        it.effect(`refused(${status}) is ${facts._tag}`, () =>
          Effect.gen(function* () {
            const error = yield* failure([Gateway.refused(status)])
            expect(error).toMatchObject({ ...facts, status, attempts: 1 })
            expect(error.detail?.length).toBeGreaterThan(0)
          })
        )
      }

      it.effect("refused: with the words, the code and the headers that it is given", () =>
        Effect.gen(function* () {
          const headers = { "x-request-id": "r-1" }
          const script = [Gateway.refused(400, { message: "No such voice.", code: "bad_voice", headers })]
          expect(yield* failure(script)).toMatchObject({
            detail: "No such voice.",
            code: "bad_voice",
            requestId: "r-1"
          })
        })
      )

      it.effect("rateLimited: with a wait, to the millisecond, or without one", () =>
        Effect.gen(function* () {
          for (const wait of ["5 seconds", "1500 millis", 1, "2 minutes", undefined] as const) {
            const error = yield* failure([Gateway.rateLimited(wait)])
            expect(error).toMatchObject({ _tag: "Transient", status: 429, reason: "RateLimited" })
            expect(waitOf(error)).toBe(wait === undefined ? undefined : Duration.toMillis(wait))
          }
        })
      )

      it.effect("overloaded: with a wait, or without one", () =>
        Effect.gen(function* () {
          for (const [wait, millis] of [
            ["2 seconds", 2000],
            [undefined, undefined]
          ] as const) {
            const error = yield* failure([Gateway.overloaded(wait)])
            expect(error).toMatchObject({ _tag: "Transient", reason: "Overloaded" })
            expect(waitOf(error)).toBe(millis)
          }
        })
      )

      it.effect("outOfCredit: no retry helps", () =>
        Effect.gen(function* () {
          expect(yield* failure([Gateway.outOfCredit])).toMatchObject({ _tag: "QuotaExceeded", attempts: 1 })
        })
      )

      const partial = wayName === "streamed" ? "Hel" : undefined

      it.effect("dropAfter: what came is there, and the answer is broken off", () =>
        Effect.gen(function* () {
          const error = yield* failure([Gateway.dropAfter(["H", "el"])])
          expect(error).toMatchObject({ _tag: "Transient", reason: "StreamInterrupted", status: 200 })
          expect([error.partial, error.emitted]).toEqual([partial ?? error.partial, partial !== undefined])
        })
      )

      it.effect("stallAfter: what came is there, and nothing more comes", () =>
        Effect.gen(function* () {
          const error = yield* patiently(failure([Gateway.stallAfter(["H", "el"])]))
          expect(error).toMatchObject({ _tag: "Transient", reason: "StreamStalled", clock: "idle" })
          expect(error.emitted).toBe(partial !== undefined)
        })
      )

      it.effect("failAfter: what came is there, and then the server says that it failed", () =>
        Effect.gen(function* () {
          const error = yield* failure([Gateway.failAfter(["H", "el"])])
          expect(error).toMatchObject({ _tag: "Transient", reason: "Overloaded", emitted: partial !== undefined })
          if (partial !== undefined) expect([error.partial, error.status]).toEqual([partial, 200])
          const worse = yield* failure([Gateway.failAfter(["Hel"], 500)])
          expect(worse).toMatchObject({ _tag: "Transient", reason: "ServerError" })
        })
      )

      it.effect("a script that is one answer gives it to every request", () =>
        Effect.gen(function* () {
          const both = Effect.all([way(hello), way(hello), way(hello)])
          expect((yield* asked(both, wire, Gateway.reply("Hi"))).map(({ text }) => text)).toEqual(["Hi", "Hi", "Hi"])
        })
      )

      it.effect("a function may choose one by the request", () =>
        Effect.gen(function* () {
          const script: Gateway.Script = ({ body }) =>
            JSON.stringify(body).includes("hello") ? Gateway.reply("Hello to you") : Gateway.refused(400)
          expect((yield* ask(script)).text).toBe("Hello to you")
          const other = { messages: [Chat.user("bye")] }
          expect(yield* Effect.flip(ask(script, other))).toMatchObject({ _tag: "InvalidRequest" })
        })
      )

      it.effect("delay, paced, drop and stall take one, too", () =>
        Effect.gen(function* () {
          const late = yield* Effect.fork(
            ask([Gateway.delay("1 second", Gateway.paced("1 millis", Gateway.reply("Hi")))])
          )
          yield* TestClock.adjust("999 millis")
          expect(yield* Fiber.poll(late)).toMatchObject({ _tag: "None" })
          yield* TestClock.adjust("1 second")
          expect((yield* Fiber.join(late)).text).toBe("Hi")
          const broken = yield* failure([Gateway.drop(1, Gateway.reply("Hi"))])
          expect(broken).toMatchObject({ reason: "StreamInterrupted" })
          const stalled = yield* patiently(failure([Gateway.stall(1, Gateway.reply("Hi"))]))
          expect(stalled).toMatchObject({ reason: "StreamStalled" })
        })
      )

      it("any events, written and read again, add up to the same", () =>
        fc.assert(
          fc.asyncProperty(fc.array(anyEvent, { maxLength: 12 }), async (events) => {
            const reply = await Effect.runPromise(ask([Gateway.replies(events)]))
            const expected = Chat.reply([...events, finish(events)])
            for (const field of ["text", "toolCalls", "reason"] as const) {
              expect(reply[field]).toEqual(expected?.[field])
            }
            // What stands apart in Responses is read as paragraphs.
            const joined = (reasoning = "") => reasoning.replaceAll("\n\n", "")
            expect(joined(reply.reasoning)).toBe(joined(expected?.reasoning))
          }),
          { numRuns: runs(30) }
        ))

      it("an answer of very many events is written in linear time", () => {
        const events = (count: number) => Array.from({ length: count }, (_, i) => `${i} `)
        const write = (count: number) => {
          const answer = Gateway.replies(events(count))
          return () => void requestOf(wireName, wayName === "streamed", answer)
        }
        expect(growth(write(10_000), write(40_000))).toBeLessThan(10)
      })
    })
  }
}

/** The wait that the server asked for, in milliseconds. */
const waitOf = (error: Provider.Error): number | undefined =>
  error._tag === "Transient" && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : undefined

/** What the gateway would send to a request of this wire. */
const requestOf = (wire: string, stream: boolean, answer: Gateway.Scripted): Gateway.Answer => {
  const path =
    { "OpenAI's wire": "/v1/chat/completions", "OpenAI's Responses": "/v1/responses" }[wire] ?? "/v1/messages"
  const request = {
    method: "POST",
    url: `https://host.test${path}`,
    headers: {},
    body: { stream },
    at: 0,
    aborted: false
  }
  return typeof answer === "function" ? requestOf(wire, stream, answer(request, 0)) : answer
}

/** What JSON makes of a value: it has no -0, and `__proto__` is dropped where it is read. */
const anyInput = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((input): Record<string, unknown> => JSON.parse(JSON.stringify(input)))
  .filter((input) => !/__proto__|constructor|prototype/.test(JSON.stringify(input)))

const anyText = fc.string({ minLength: 1, unit: "grapheme" })

let calls = 0

const anyEvent = fc.oneof(
  anyText.map((text) => ({ _tag: "TextDelta", text }) as const),
  anyText.map((text) => ({ _tag: "ReasoningDelta", text }) as const),
  anyInput.map((input) => ({ _tag: "ToolCall", id: `call-${calls++}`, name: "tool", input }) as const)
)

const finish = (events: ReadonlyArray<Chat.Event>): Chat.Event => ({
  _tag: "Finish",
  reason: events.some(({ _tag }) => _tag === "ToolCall") ? "tool-calls" : "stop",
  rawReason: "",
  usage: Chat.unknownUsage,
  model: undefined,
  id: undefined
})

describe("a stream", () => {
  for (const [name, wire] of wires) {
    it.effect(`of ${name} has a piece for each event, in order`, () =>
      Effect.gen(function* () {
        const events = ["a", "b", "c"]
        const texts = Provider.stream(hello).pipe(Chat.textOnly, Stream.runCollect)
        expect(Array.from(yield* asked(texts, wire, [Gateway.replies(events)]))).toEqual(events)
      })
    )

    it.effect(`of ${name}, interrupted in the middle, is aborted at the gateway`, () =>
      Effect.gen(function* () {
        const first = Stream.runHead(Stream.take(Provider.stream(hello), 1))
        yield* first
        expect((yield* Gateway.requests).map(({ aborted }) => aborted)).toEqual([true])
      }).pipe(Effect.provide(Layer.provideMerge(wire, Gateway.layer([Gateway.stallAfter(["a"])]))))
    )
  }

  it.effect("of OpenAI's says its usage only where it is asked for", () =>
    Effect.gen(function* () {
      const dialect = { streamUsage: false }
      const wire = OpenAiCompatible.layer({ ...setup, id: "o", baseUrl: "https://host.test/v1", model: "m", dialect })
      const reply = yield* asked(Chat.collect(Provider.stream(hello)), wire, [Gateway.reply("Hi")])
      expect(reply.usage).toEqual(Chat.unknownUsage)
    })
  )
})

describe("models", () => {
  for (const [name, wire] of wires) {
    it.effect(`on ${name}: a list of these`, () =>
      Effect.gen(function* () {
        const models = yield* asked(Provider.models, wire, [Gateway.models(["m-1", "m-2"])])
        expect(models.map(({ id }) => id)).toEqual(["m-1", "m-2"])
        expect(yield* asked(Provider.models, wire, [Gateway.models([])])).toEqual([])
        expect(yield* Effect.flip(asked(Provider.models, wire, [Gateway.refused(401)]))).toMatchObject({
          _tag: "AuthRejected",
          code: name.startsWith("OpenAI") ? "invalid_api_key" : "authentication_error"
        })
      })
    )
  }
})

describe("an answer in one piece", () => {
  const text = ({ body }: Gateway.Answer) =>
    body.map((piece) => (piece instanceof Uint8Array ? new TextDecoder().decode(piece) : `<${piece}>`)).join("")

  for (const [name] of wires) {
    it(`on ${name} breaks off, and stays open, before its last byte`, () => {
      const written = (answer: Gateway.Scripted) => text(requestOf(name, false, answer))
      const begun = written(Gateway.replies(["Hel", "lo"])).slice(0, -1)
      expect(begun.length).toBeGreaterThan(50)
      expect(written(Gateway.dropAfter(["Hel", "lo"]))).toBe(`${begun}<drop>`)
      expect(written(Gateway.stallAfter(["Hel", "lo"]))).toBe(`${begun}<stall>`)
    })
  }
})

describe("what cannot be written", () => {
  const [[, openai], [, anthropic]] = wires

  it.effect("a reply to a path of neither wire: a 500 that is not retried and says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(asked(Provider.models, openai, [Gateway.reply("Hi")]))
      expect(error).toMatchObject({ status: 500, attempts: 1 })
      expect(error.detail).toContain("GET /v1/models")
    })
  )

  it.effect("a list of models to somebody who asks for an answer", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(asked(Provider.complete(hello), openai, [Gateway.models(["m"])]))
      expect(error).toMatchObject({ status: 500, attempts: 1 })
      expect(error.detail).toContain("POST /v1/chat/completions")
    })
  )

  it.effect("arguments that are not JSON, whole on Anthropic's wire, where they are JSON already", () =>
    Effect.gen(function* () {
      const script = [Gateway.replies([{ _tag: "ToolCallDelta", id: "a", name: "w", delta: '{"ci' }])]
      const whole = yield* Effect.flip(asked(Provider.complete(hello), anthropic, script))
      expect(whole.detail).toContain("not JSON")
      const streamed = yield* Effect.flip(asked(Chat.collect(Provider.stream(hello)), anthropic, script))
      expect(streamed).toMatchObject({ _tag: "InvalidResponse" })
    })
  )

  it("an input that JSON does not know fails where the script is written", () => {
    expect(() => Gateway.toolCall("w", { n: 1n })).toThrow(TypeError)
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(() => Gateway.replies([{ _tag: "ToolCall", name: "w", input: cycle }])).toThrow(TypeError)
  })

  it.effect("a script is read when it is written: what happens to the events later changes nothing", () =>
    Effect.gen(function* () {
      const events = ["a"]
      const answer = Gateway.replies(events)
      events.push("b")
      expect((yield* asked(Provider.complete(hello), openai, [answer])).text).toBe("a")
    })
  )
})

describe("an error", () => {
  it.effect("of the gateway is one that the SDK retries as a real one", () =>
    Effect.gen(function* () {
      const wire = Anthropic.layer({ apiKey: Redacted.make("k"), model: "m", policy: { jitter: 0 } })
      const script = [Gateway.rateLimited("5 seconds"), Gateway.overloaded(), Gateway.reply("Hi")]
      const call = yield* Effect.fork(asked(Provider.complete(hello), wire, script))
      yield* TestClock.adjust("5999 millis")
      expect(yield* Fiber.poll(call)).toMatchObject({ _tag: "None" })
      yield* TestClock.adjust("1 millis")
      expect((yield* Fiber.join(call)).text).toBe("Hi")
    })
  )
})
