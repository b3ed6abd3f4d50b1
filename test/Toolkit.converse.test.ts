/** The conversation in which a model uses tools: what is sent, what the program sees, and how it ends. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Chunk, Effect, Exit, Fiber, Option, Redacted, Schema, Stream, TestClock } from "effect"
import { Anthropic, Chat, Opened, Provider, Tool, Toolkit } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { chunk, mimo, patiently, refused } from "./Wire.js"

const add = Tool.make({ name: "add", parameters: Schema.Struct({ a: Schema.Number, b: Schema.Number }) })
const nap = Tool.make({ name: "nap", parameters: Schema.Struct({ millis: Schema.Number }) })

const toolkit = Toolkit.make(add, nap).handlers({
  add: ({ a, b }) => (b < 0 ? Effect.fail("only up") : Effect.succeed(a + b)),
  nap: ({ millis }) => Effect.as(Effect.sleep(millis), millis)
})

const question: Chat.Request = { messages: [Chat.user("1 + 2?")] }

/** Calls as an answer has them: a name, arguments. */
type Call = readonly [name: string, input: unknown, id?: string]

const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }

const calls = (...made: ReadonlyArray<Call>): Gateway.Answer =>
  Gateway.sse([
    chunk({ role: "assistant", content: "", reasoning_content: "hm" }),
    ...made.map(([name, input, id = `call-${name}`], index) =>
      chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: JSON.stringify(input) } }] })
    ),
    { ...chunk({}, { finish_reason: "tool_calls" }), usage },
    "[DONE]"
  ])

const says = (text: string, finish_reason = "stop"): Gateway.Answer =>
  Gateway.sse([chunk({ content: text }), { ...chunk({}, { finish_reason }), usage }, "[DONE]"])

/** Everything that happens, with the exit. */
const followed = <A extends Toolkit.Ran, E, R>(self: Stream.Stream<Toolkit.Event<A>, E, R>) =>
  Effect.gen(function* () {
    const events: Array<Toolkit.Event<A>> = []
    const exit = yield* Effect.exit(Stream.runForEach(self, (event) => Effect.sync(() => events.push(event))))
    return { events, exit }
  })

const bodies = Effect.map(Gateway.requests, (requests) =>
  requests.map(
    ({ body }) =>
      body as {
        readonly messages: ReadonlyArray<{ readonly role: string; readonly [key: string]: unknown }>
        readonly tools?: unknown
      }
  )
)

describe("a conversation", () => {
  it.effect("asks, runs the calls, and asks again until there are none; every event says its step", () =>
    Effect.gen(function* () {
      const { events } = yield* followed(Toolkit.converse(question, { toolkit }))
      const seen = events.map((event) => {
        if (event._tag === "Answer") return `${event.step} ${event.event._tag}`
        return event._tag === "Result"
          ? `${event.step} ${event.result._tag} ${event.result.message.content}`
          : event.outcome._tag
      })
      expect(seen).toEqual([
        ...["1 ReasoningDelta", "1 ToolCallDelta", "1 ToolCall", "1 Finish", "1 Returned 3"],
        ...["2 ReasoningDelta", "2 ToolCallDelta", "2 ToolCallDelta", "2 ToolCall", "2 ToolCall", "2 Finish"],
        ...["2 Failed only up", "2 Misfit The arguments do not fit:\nb: missing"],
        ...["3 TextDelta", "3 Finish", "Done"]
      ])
      const sent = yield* bodies
      expect(sent.map(({ messages }) => messages.map(({ role }) => role).join(" "))).toEqual([
        "user",
        "user assistant tool",
        "user assistant tool assistant tool tool"
      ])
      expect(sent[2]?.messages.slice(1)).toMatchObject([
        { role: "assistant", reasoning_content: "hm", tool_calls: [{ id: "call-1" }] },
        { role: "tool", tool_call_id: "call-1", content: "3" },
        { role: "assistant", tool_calls: [{ id: "call-2" }, { id: "call-3" }] },
        { role: "tool", tool_call_id: "call-2", content: "only up" },
        { role: "tool", tool_call_id: "call-3", content: expect.stringContaining("b: missing") }
      ])
      expect(sent.map(({ tools }) => tools)).toMatchObject(
        Array.from({ length: 3 }, () => [{ function: { name: "add" } }, { function: { name: "nap" } }])
      )
    }).pipe(
      Effect.provide(
        mimo([
          calls(["add", { a: 1, b: 2 }, "call-1"]),
          calls(["add", { a: 1, b: -2 }, "call-2"], ["add", { a: 1 }, "call-3"]),
          says("3")
        ])
      )
    )
  )

  it.effect("comes to an outcome: the whole history, the steps, the usage of all of them, the last reply", () =>
    Effect.gen(function* () {
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit }))
      expect(outcome._tag).toBe("Done")
      expect(outcome.reply.text).toBe("3")
      expect(outcome.usage).toMatchObject({
        inputTokens: 10,
        outputTokens: 6,
        totalTokens: 16,
        cachedInputTokens: undefined
      })
      expect(outcome.steps.map(({ results }) => results.map(({ _tag }) => _tag))).toEqual([["Returned"], []])
      const [first, second] = outcome.steps
      expect(outcome.messages).toEqual([
        ...question.messages,
        first?.reply.message,
        first?.results[0]?.message,
        second?.reply.message
      ])
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }]), says("3")])))
  )

  it.effect("is a value: run twice, it is held twice, each time from the beginning", () =>
    Effect.gen(function* () {
      const conversation = Toolkit.outcome(Toolkit.converse(question, { toolkit }))
      const first = yield* conversation
      const second = yield* conversation
      expect(second).toEqual(first)
    }).pipe(
      Effect.provide(mimo([calls(["add", { a: 1, b: 2 }]), says("3"), calls(["add", { a: 1, b: 2 }]), says("3")]))
    )
  )

  it.effect("without tools is one answer", () =>
    Effect.gen(function* () {
      const none = Toolkit.make().handlers({})
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit: none }))
      expect([outcome._tag, outcome.steps.length]).toEqual(["Done", 1])
      expect((yield* bodies)[0]).not.toHaveProperty("tools")
    }).pipe(Effect.provide(mimo([says("3")])))
  )

  it.effect("keeps two calls with one id apart, by their places", () =>
    Effect.gen(function* () {
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit, concurrency: 2 }))
      expect(outcome.steps[0]?.results.map(({ message }) => message.content)).toEqual(["20", "10"])
    }).pipe(
      patiently,
      Effect.provide(mimo([calls(["nap", { millis: 20 }, "same"], ["nap", { millis: 10 }, "same"]), says("ok")]))
    )
  )
})

describe("an ending", () => {
  const loop = () => calls(["add", { a: 1, b: 2 }])

  const rows: ReadonlyArray<
    readonly [
      title: string,
      options: Partial<Toolkit.Options<Toolkit.RanOf<typeof toolkit>>>,
      answers: ReadonlyArray<Gateway.Answer>,
      tag: string,
      steps: number
    ]
  > = [
    ["is MaxSteps at the bound, with the last calls run", { maxSteps: 3 }, [loop(), loop(), loop()], "MaxSteps", 3],
    ["is MaxSteps after 20 steps where nobody says", {}, Array.from({ length: 20 }, loop), "MaxSteps", 20],
    ["is MaxSteps after one step where the bound is none", { maxSteps: Number.NaN }, [loop()], "MaxSteps", 1],
    ["is MaxSteps after one step where the bound is zero", { maxSteps: 0 }, [loop()], "MaxSteps", 1],
    ["is Done where the bound is reached by the last answer", { maxSteps: 2 }, [loop(), says("3")], "Done", 2],
    [
      "is Stopped when the program says so",
      { stopWhen: ({ steps }) => steps.length === 2 },
      [loop(), loop()],
      "Stopped",
      2
    ],
    [
      "is Stopped by what was spent",
      { stopWhen: ({ usage }) => (usage.totalTokens ?? 0) > 20 },
      [loop(), loop(), loop()],
      "Stopped",
      3
    ],
    ["is Done, and nobody is asked whether to stop", { stopWhen: () => true }, [says("3")], "Done", 1],
    ["is Done where the limit of tokens cut the answer", {}, [says("thr", "length")], "Done", 1]
  ]
  for (const [title, options, answers, tag, steps] of rows) {
    it.effect(title, () =>
      Effect.gen(function* () {
        const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit, ...options }))
        expect([outcome._tag, outcome.steps.length]).toEqual([tag, steps])
        expect(yield* Gateway.requests).toHaveLength(steps)
        const last = outcome.messages.at(-1)
        expect(last?.role).toBe(tag === "Done" ? "assistant" : "tool")
      }).pipe(Effect.provide(mimo(answers)))
    )
  }

  it.effect("is Waiting for a tool of the request's own; the program answers and goes on", () =>
    Effect.gen(function* () {
      const ask = Tool.make({ name: "ask", parameters: Schema.Struct({}) })
      const request = { ...question, tools: [ask] }
      const outcome = yield* Toolkit.outcome(Toolkit.converse(request, { toolkit }))
      if (outcome._tag !== "Waiting") return yield* Effect.dieMessage(outcome._tag)
      expect(outcome.calls).toMatchObject([{ name: "ask", id: "call-ask" }])
      expect(outcome.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"])
      const messages = [...outcome.messages, ...outcome.calls.map((call) => Chat.toolResult(call, "yes"))]
      const next = yield* Toolkit.outcome(Toolkit.converse({ ...request, messages }, { toolkit }))
      expect(next._tag).toBe("Done")
      const sent = yield* bodies
      expect(sent[1]?.messages.map(({ role, tool_call_id }) => tool_call_id ?? role)).toEqual(
        // The results stand in the calls' order, or in any.
        ["user", "assistant", "call-add", "call-ask"]
      )
      expect(sent[0]?.tools).toMatchObject([{ function: { name: "ask" } }, {}, {}])
    }).pipe(Effect.provide(mimo([calls(["ask", {}], ["add", { a: 1, b: 2 }]), says("ok")])))
  )

  it.effect("of an answer that a filter stopped runs none of its calls, and tells so", () =>
    Effect.gen(function* () {
      const filtered = Gateway.sse([
        chunk({ tool_calls: [{ index: 0, id: "call-1", function: { name: "add", arguments: '{"a":1,"b":2}' } }] }),
        chunk({}, { finish_reason: "content_filter" }),
        "[DONE]"
      ])
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit })).pipe(
        Effect.provide(mimo([filtered]))
      )
      expect(outcome).toMatchObject({ _tag: "Done", steps: [{ results: [{ _tag: "Refused" }] }] })
    })
  )
})

describe("a model that pauses", () => {
  const message = {
    type: "message_start",
    message: { id: "m", role: "assistant", content: [], model: "c", usage: { input_tokens: 5 } }
  }
  const paused = Gateway.sse([
    message,
    {
      type: "content_block_start",
      index: 0,
      content_block: { type: "server_tool_use", id: "s-1", name: "web_search", input: {} }
    },
    { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: '{"query":"x"}' } },
    { type: "content_block_stop", index: 0 },
    {
      type: "content_block_start",
      index: 1,
      content_block: {
        type: "web_search_tool_result",
        tool_use_id: "s-1",
        content: [{ type: "web_search_result", url: "u", encrypted_content: "e" }]
      }
    },
    { type: "message_delta", delta: { stop_reason: "pause_turn" }, usage: { output_tokens: 3 } },
    { type: "message_stop" }
  ])
  const cited = Gateway.sse([
    message,
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "It is so." } },
    { type: "content_block_delta", index: 0, delta: { type: "citations_delta", citation: { url: "u" } } },
    {
      type: "content_block_start",
      index: 1,
      content_block: { type: "tool_use", id: "call-1", name: "add", input: {} }
    },
    { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"a":1,"b":2}' } },
    { type: "message_delta", delta: { stop_reason: "tool_use" } },
    { type: "message_stop" }
  ])
  const ended = Gateway.sse([
    message,
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "3" } },
    { type: "message_delta", delta: { stop_reason: "end_turn" } },
    { type: "message_stop" }
  ])

  it.effect("is asked again, and what the provider's own tools and citations said goes back as it came", () =>
    Effect.gen(function* () {
      const provider = yield* Anthropic.make({ model: "m", apiKey: Redacted.make("key-of-the-test") })
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit })).pipe(
        Effect.provideService(Provider.Provider, provider)
      )
      expect([outcome._tag, outcome.steps.length, outcome.reply.text]).toEqual(["Done", 3, "3"])
      const sent = yield* bodies
      expect(sent[1]?.messages.at(-1)).toMatchObject({
        role: "assistant",
        content: [
          { type: "server_tool_use", id: "s-1", input: { query: "x" } },
          { type: "web_search_tool_result", tool_use_id: "s-1", content: [{ encrypted_content: "e" }] }
        ]
      })
      expect(sent[2]?.messages.slice(1)).toMatchObject([
        {
          role: "assistant",
          content: [
            { type: "server_tool_use" },
            { type: "web_search_tool_result" },
            { type: "text", text: "It is so.", citations: [{ url: "u" }] },
            { type: "tool_use", id: "call-1", input: { a: 1, b: 2 } }
          ]
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "call-1", content: "3" }] }
      ])
    }).pipe(Effect.provide(Gateway.layer([paused, cited, ended])))
  )
})

describe("approve", () => {
  it.effect("is asked before a call runs; the model is told of a refusal", () =>
    Effect.gen(function* () {
      const asked: Array<unknown> = []
      const outcome = yield* Toolkit.outcome(
        Toolkit.converse(question, {
          toolkit,
          approve: (call) =>
            Effect.sync(() => {
              asked.push(call.input)
              return asked.length > 1 || { refuse: "Not now." }
            })
        })
      )
      expect(asked).toEqual([
        { a: 1, b: 2 },
        { a: 3, b: 4 }
      ])
      expect(outcome.steps[0]?.results.map(({ _tag, message }) => [_tag, message.content])).toEqual([
        ["Refused", "Not now."],
        ["Returned", "7"]
      ])
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }, "1"], ["add", { a: 3, b: 4 }, "2"]), says("7")])))
  )

  it.effect("that fails fails the conversation, and the history is sound", () =>
    Effect.gen(function* () {
      const gone = { _tag: "Gone" }
      const { exit } = yield* followed(Toolkit.converse(question, { toolkit, approve: () => Effect.fail(gone) }))
      expect(exit).toEqual(Exit.fail(gone))
      expect(Toolkit.before(gone)?.messages).toMatchObject([
        { role: "user" },
        { role: "assistant" },
        { role: "tool", isError: true, content: expect.stringContaining("interrupted") }
      ])
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }])])))
  )
})

describe("an answer that breaks off", () => {
  const broken = Gateway.drop(150, says("a long answer"))

  it.effect("fails the conversation with the provider's error, which knows what came before", () =>
    Effect.gen(function* () {
      const conversation = Toolkit.converse(question, { toolkit })
      const { events, exit } = yield* followed(conversation)
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
      expect(error).toMatchObject({ _tag: "Transient", reason: "StreamInterrupted", emitted: true })
      expect(events.at(-1)).toMatchObject({ _tag: "Answer", step: 2 })
      const before = Toolkit.before(error)
      expect(before?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"])
      expect(before?.steps).toHaveLength(1)
      expect(before?.usage.totalTokens).toBe(8)
      const outcome = yield* Toolkit.outcome(Toolkit.converse({ messages: before?.messages ?? [] }, { toolkit }))
      expect(outcome.reply.text).toBe("3")
      expect((yield* bodies)[2]?.messages).toEqual((yield* bodies)[1]?.messages)
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }]), broken, says("3")])))
  )

  it.effect("is none for a key that is refused and then taken: the provider retries, and no tool runs twice", () =>
    Effect.gen(function* () {
      let ran = 0
      const kit = Toolkit.make(add).handlers({ add: ({ a, b }) => Effect.sync(() => a + b + 0 * ran++) })
      const outcome = yield* patiently(Toolkit.outcome(Toolkit.converse(question, { toolkit: kit })))
      expect([outcome._tag, ran, (yield* Gateway.requests).length]).toEqual(["Done", 1, 3])
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }]), refused(), says("3")])))
  )

  it("is unknown to before for any other error", () => {
    expect([new Error("x"), undefined, null, "x"].map(Toolkit.before)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined
    ])
  })
})

describe("onProgress", () => {
  it.effect("is told of each answer before its calls run, and of each result; each history is sound", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      let busy = 0
      yield* Toolkit.outcome(
        Toolkit.converse(question, {
          toolkit,
          concurrency: "unbounded",
          onProgress: ({ messages }) =>
            Effect.gen(function* () {
              expect(++busy).toBe(1)
              yield* Effect.sleep(5)
              busy--
              seen.push(
                messages.map((message) => (message.role === "tool" ? message.content : message.role)).join(" | ")
              )
            })
        })
      )
      const unknown = "The call was interrupted. It is not known whether it took effect."
      expect(seen).toEqual([
        `user | assistant | ${unknown} | ${unknown}`,
        `user | assistant | ${unknown} | 10`,
        "user | assistant | 12 | 10",
        "user | assistant | 12 | 10 | assistant"
      ])
    }).pipe(
      patiently,
      Effect.provide(mimo([calls(["nap", { millis: 12 }, "1"], ["nap", { millis: 10 }, "2"]), says("ok")]))
    )
  )

  it.effect("that fails fails the conversation", () =>
    Effect.gen(function* () {
      const { exit } = yield* followed(Toolkit.converse(question, { toolkit, onProgress: () => Effect.fail("full") }))
      expect(exit).toEqual(Exit.fail("full"))
      expect(yield* Gateway.requests).toHaveLength(1)
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }])])))
  )
})

describe("a defect of a handler", () => {
  it.effect("is the conversation's", () =>
    Effect.gen(function* () {
      const kit = Toolkit.make(add).handlers({ add: () => Effect.dieMessage("boom") })
      const { exit } = yield* followed(Toolkit.converse(question, { toolkit: kit, concurrency: 2 }))
      expect(Exit.isFailure(exit) && Option.getOrUndefined(Cause.dieOption(exit.cause))).toMatchObject({
        message: "boom"
      })
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }])])))
  )
})

describe("concurrency", () => {
  const five = () => calls(...[30, 10, 20, 40, 5].map((millis, i): Call => ["nap", { millis }, `${i}`]))

  for (const [concurrency, most, order] of [
    [undefined, 1, [30, 10, 20, 40, 5]],
    [2, 2, [10, 30, 20, 5, 40]],
    ["unbounded", 5, [5, 10, 20, 30, 40]]
  ] as const) {
    it.effect(
      `${concurrency ?? "left out"}: ${most} at a time; results as they come, history in the calls' order`,
      () =>
        Effect.gen(function* () {
          let now = 0
          let atOnce = 0
          const kit = Toolkit.make(nap).handlers({
            nap: ({ millis }) =>
              Effect.acquireUseRelease(
                Effect.sync(() => {
                  atOnce = Math.max(atOnce, ++now)
                }),
                () => Effect.as(Effect.sleep(millis), millis),
                () => Effect.sync(() => now--)
              )
          })
          const { events } = yield* patiently(followed(Toolkit.converse(question, { toolkit: kit, concurrency })))
          const came = events.flatMap((event) =>
            event._tag === "Result" ? [Number(event.result.message.content)] : []
          )
          expect(atOnce).toBe(most)
          expect(came.toSorted()).toEqual(order.toSorted())
          if (concurrency !== 2) expect(came).toEqual(order)
          const end = events.at(-1)
          const told = end?._tag === "End" ? end.outcome.steps[0]?.results.map(({ message }) => message.content) : []
          expect(told).toEqual(["30", "10", "20", "40", "5"])
        }).pipe(Effect.provide(mimo([five(), says("ok")])))
    )
  }
})

describe("a long conversation", () => {
  /** Calls a tool for so many steps, with no network. */
  const talker = (steps: number) => {
    let asked = 0
    const finish = { rawReason: "", usage: Chat.unknownUsage, model: "fake", id: undefined } as const
    return Provider.make({
      id: "fake",
      open: () =>
        Effect.sync(() =>
          Opened.fromEvents(
            ++asked < steps
              ? [
                  { _tag: "ToolCall", id: `call-${asked}`, name: "add", input: { a: asked, b: 1 } },
                  { _tag: "Finish", reason: "tool-calls", ...finish }
                ]
              : [
                  { _tag: "TextDelta", text: "done" },
                  { _tag: "Finish", reason: "stop", ...finish }
                ]
          )
        )
    })
  }

  it.effect("of 3,000 steps has no growing stack", () =>
    Effect.gen(function* () {
      const depths: Array<number> = []
      const kit = Toolkit.make(add).handlers({
        add: ({ a }) =>
          Effect.sync(() => {
            const limit = Error.stackTraceLimit
            Error.stackTraceLimit = Number.POSITIVE_INFINITY
            if (a % 500 === 1) depths.push((new Error("here").stack ?? "").split("\n").length)
            Error.stackTraceLimit = limit
            return a
          })
      })
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit: kit, maxSteps: 10_000 })).pipe(
        Effect.provideService(Provider.Provider, talker(3000))
      )
      expect([outcome._tag, outcome.steps.length, outcome.messages.length]).toEqual(["Done", 3000, 6000])
      expect(Math.max(...depths) - Math.min(...depths)).toBeLessThan(20)
    })
  )
})

describe("a tool that converses itself", () => {
  it.effect("needs the provider, and what its model cannot do is its failure", () =>
    Effect.gen(function* () {
      const expert = Tool.make({ name: "expert", parameters: Schema.Struct({ question: Schema.String }) })
      const kit = Toolkit.make(expert).handlers({
        expert: ({ question }) =>
          Toolkit.converse({ messages: [Chat.user(question)] }, { toolkit }).pipe(
            Toolkit.outcome,
            Effect.map(({ reply }) => reply.text)
          )
      })
      const outcome = yield* Toolkit.outcome(Toolkit.converse(question, { toolkit: kit }))
      expect(outcome.steps.map(({ results }) => results.map(({ _tag, message }) => [_tag, message.content]))).toEqual([
        [["Returned", "It is 3."]],
        [["Failed", expect.stringContaining("BadRequest 400")]],
        []
      ])
    }).pipe(
      Effect.provide(
        mimo([
          calls(["expert", { question: "1 + 2?" }]),
          calls(["add", { a: 1, b: 2 }]),
          says("It is 3."),
          calls(["expert", { question: "?" }]),
          Gateway.status(400),
          says("ok")
        ])
      )
    )
  )
})

describe("interruption", () => {
  it.effect("while a tool runs interrupts it, and sends nothing more", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<Chat.Message>> = []
      const fiber = yield* Effect.fork(
        Stream.runDrain(
          Toolkit.converse(question, { toolkit, onProgress: ({ messages }) => Effect.sync(() => seen.push(messages)) })
        )
      )
      yield* TestClock.adjust(15)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
      yield* TestClock.adjust("1 hour")
      expect(yield* Gateway.requests).toHaveLength(1)
      expect(seen.at(-1)?.slice(2)).toMatchObject([
        { content: "10", toolCallId: "1" },
        { isError: true, content: expect.stringContaining("not known"), toolCallId: "2" }
      ])
    }).pipe(Effect.provide(mimo([calls(["nap", { millis: 10 }, "1"], ["nap", { millis: 10 }, "2"])])))
  )

  it.effect("while a result is being stored lets it be stored", () =>
    Effect.gen(function* () {
      const stored: Array<Chat.Message | undefined> = []
      const fiber = yield* Effect.fork(
        Stream.runDrain(
          Toolkit.converse(question, {
            toolkit,
            onProgress: ({ messages }) => Effect.sync(() => stored.push(messages.at(-1))).pipe(Effect.delay(100))
          })
        )
      )
      yield* TestClock.adjust(150)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust(100)
      expect(Exit.isInterrupted(yield* Fiber.join(interrupting))).toBe(true)
      expect(stored).toMatchObject([{ isError: true }, { role: "tool", content: "3" }])
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }])])))
  )

  it.effect("by a consumer that has seen enough asks nothing more", () =>
    Effect.gen(function* () {
      const three = yield* Stream.runCollect(Stream.take(Toolkit.converse(question, { toolkit }), 3))
      expect(Chunk.size(three)).toBe(3)
      expect(yield* Gateway.requests).toHaveLength(1)
    }).pipe(Effect.provide(mimo([calls(["add", { a: 1, b: 2 }])])))
  )
})
