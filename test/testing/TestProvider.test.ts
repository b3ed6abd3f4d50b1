/** A provider without HTTP: it says what a test wants, when the test wants it, and remembers what it was asked. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, Stream, TestClock } from "effect"
import { Chat, Provider } from "../../src/index.js"
import { Errors, TestProvider } from "../../src/testing/index.js"
import { growthOf } from "../Cost.js"
import { hello } from "../Wire.js"

const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15 }

const ways = [
  ["complete", Provider.complete],
  ["stream", (request: Chat.Request) => Chat.collect(Provider.stream(request))],
  ["listen", (request: Chat.Request) => Provider.listen(request, () => undefined)]
] as const

const isPending = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) => Effect.map(Fiber.poll(fiber), Option.isNone)

for (const [name, way] of ways) {
  describe(`a fake, asked with ${name}`, () => {
    it.effect("says what its script says, in order", () =>
      Effect.gen(function* () {
        expect(yield* way(hello)).toMatchObject({ text: "One", reason: "stop", usage, model: "test-model" })
        expect(yield* way({ ...hello, model: "m-2" })).toMatchObject({ text: "Two", model: "m-2" })
        const { toolCalls, reason } = yield* way(hello)
        expect([toolCalls, reason]).toEqual([[{ id: "call_3_1", name: "get", input: { a: 1 } }], "tool-calls"])
        expect(yield* Effect.flip(way(hello))).toMatchObject({ _tag: "Transient", reason: "RateLimited" })
      }).pipe(
        Effect.provide(
          TestProvider.layer([
            TestProvider.reply("One"),
            TestProvider.replies(["T", { _tag: "TextDelta", text: "wo" }]),
            TestProvider.toolCall("get", { a: 1 }),
            TestProvider.fail(Errors.transient({ reason: "RateLimited" }))
          ])
        )
      )
    )

    it.effect("says whatever the options say", () =>
      Effect.gen(function* () {
        const counted = { inputTokens: 100, cachedInputTokens: 80 }
        const answer = TestProvider.reply("Hel", {
          reasoning: "Hm.",
          reason: "length",
          usage: counted,
          model: "m",
          id: "i"
        })
        const reply = yield* Effect.provide(way(hello), TestProvider.layer([answer]))
        expect(reply).toMatchObject({ text: "Hel", reasoning: "Hm.", reason: "length", model: "m", id: "i" })
        expect(reply.usage).toEqual({ ...Chat.unknownUsage, ...counted, totalTokens: 100 })
      })
    )

    it.effect("says what is pushed when the script is at its end, and dies where there is nothing to say", () =>
      Effect.gen(function* () {
        const fake = yield* TestProvider.TestProvider
        yield* fake.push(TestProvider.reply("A"), TestProvider.reply("B"))
        expect([(yield* way(hello)).text, (yield* way(hello)).text]).toEqual(["A", "B"])
        const exit = yield* Effect.exit(way(hello))
        expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
        expect(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : "")).toContain("no answer for request 3")
        yield* fake.push(TestProvider.reply("C"))
        expect((yield* way(hello)).text).toBe("C")
      }).pipe(Effect.provide(TestProvider.layer()))
    )

    it.effect("may choose by the request and its number; what is pushed comes first", () =>
      Effect.gen(function* () {
        const fake = yield* TestProvider.TestProvider
        yield* fake.push(TestProvider.reply("pushed"))
        const texts = [(yield* way(hello)).text, (yield* way(hello)).text, (yield* way({ ...hello, model: "x" })).text]
        expect(texts).toEqual(["pushed", "1 test-model", "2 x"])
      }).pipe(Effect.provide(TestProvider.layer(({ model }, index) => TestProvider.reply(`${index} ${model}`))))
    )

    it.effect("remembers each request as it was asked, whether it was streamed, and when", () =>
      Effect.gen(function* () {
        const fake = yield* TestProvider.TestProvider
        yield* TestClock.setTime(1000)
        yield* way(hello)
        yield* TestClock.adjust("250 millis")
        const other = { messages: [Chat.user("bye")], maxTokens: 3 }
        yield* way(other)
        expect(yield* fake.requests).toEqual([hello, other])
        expect(yield* fake.calls).toEqual([
          { request: hello, streamed: name !== "complete", at: 1000, aborted: false },
          { request: other, streamed: name !== "complete", at: 1250, aborted: false }
        ])
      }).pipe(Effect.provide(TestProvider.layer(() => TestProvider.reply("Hi"))))
    )

    it.effect("holds an answer until an effect is done, or for a time", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const held = yield* Effect.fork(
          Effect.provide(
            way(hello),
            TestProvider.layer([TestProvider.delay(Deferred.await(gate), TestProvider.reply("Hi"))])
          )
        )
        yield* TestClock.adjust("1 hour")
        expect(yield* isPending(held)).toBe(true)
        yield* Deferred.succeed(gate, undefined)
        expect((yield* Fiber.join(held)).text).toBe("Hi")
        const late = yield* Effect.fork(
          Effect.provide(way(hello), TestProvider.layer([TestProvider.delay("1 second", TestProvider.reply("Hi"))]))
        )
        yield* TestClock.adjust("999 millis")
        expect(yield* isPending(late)).toBe(true)
        yield* TestClock.adjust("1 millis")
        expect((yield* Fiber.join(late)).text).toBe("Hi")
      })
    )

    it.effect("an effect among the pieces is waited for, and may fail the answer with what came before it", () =>
      Effect.gen(function* () {
        const error = Errors.transient({ reason: "StreamInterrupted" })
        const script = [
          TestProvider.replies(["Hel", Effect.sleep("1 second"), "lo"]),
          TestProvider.replies(["Hel", error, "lo"])
        ]
        yield* Effect.gen(function* () {
          const slow = yield* Effect.fork(way(hello))
          yield* TestClock.adjust("999 millis")
          expect(yield* isPending(slow)).toBe(true)
          yield* TestClock.adjust("1 millis")
          expect((yield* Fiber.join(slow)).text).toBe("Hello")
          const failed = yield* Effect.flip(way(hello))
          expect(failed).toMatchObject({ reason: "StreamInterrupted" })
          const isSeen = name !== "complete"
          expect([failed.partial, failed.emitted]).toEqual([isSeen ? "Hel" : undefined, isSeen])
        }).pipe(Effect.provide(TestProvider.layer(script)))
      })
    )

    it.effect("interrupted while it waits, is an aborted call, and the next one is served", () =>
      Effect.gen(function* () {
        const fake = yield* TestProvider.TestProvider
        const waiting = yield* Effect.fork(way(hello))
        yield* TestClock.adjust(0)
        expect((yield* fake.calls).map(({ aborted }) => aborted)).toEqual([false])
        yield* Fiber.interrupt(waiting)
        expect((yield* fake.calls).map(({ aborted }) => aborted)).toEqual([true])
        expect((yield* way(hello)).text).toBe("Hi")
        expect((yield* fake.calls).map(({ aborted }) => aborted)).toEqual([true, false])
      }).pipe(Effect.provide(TestProvider.layer([TestProvider.replies(["a", Effect.never]), TestProvider.reply("Hi")])))
    )

    it.effect("many calls at once: each gets one answer, and no answer is given twice", () =>
      Effect.gen(function* () {
        const fake = yield* TestProvider.TestProvider
        const texts = yield* Effect.forEach(Array(1000).fill(hello), way, { concurrency: "unbounded" })
        expect(new Set(texts.map(({ text }) => text)).size).toBe(1000)
        expect((yield* fake.requests).length).toBe(1000)
      }).pipe(Effect.provide(TestProvider.layer(Array.from({ length: 1000 }, (_, i) => TestProvider.reply(String(i))))))
    )
  })
}

describe("a fake", () => {
  it.effect("written by the test as it goes: each piece is there when it is written, and seen when it is taken", () =>
    Effect.gen(function* () {
      const answer = yield* TestProvider.written
      const seen: Array<string> = []
      const call = Provider.stream(hello).pipe(
        Chat.textOnly,
        Stream.runForEach((text) => Effect.sync(() => void seen.push(text)))
      )
      const reading = yield* Effect.fork(Effect.provide(call, TestProvider.layer([answer.answer])))
      yield* answer.write("Hel")
      yield* answer.taken
      expect(seen).toEqual(["Hel"])
      yield* answer.write("lo", ", world")
      yield* answer.taken
      expect(seen).toEqual(["Hel", "lo", ", world"])
      yield* answer.end()
      yield* Fiber.join(reading)
      yield* answer.taken
    })
  )

  it.effect("written by the test: it can fail, and end as the options say", () =>
    Effect.gen(function* () {
      const [ended, failed] = [yield* TestProvider.written, yield* TestProvider.written]
      yield* ended.write("Hel")
      yield* ended.end({ reason: "length" })
      yield* failed.write("Hel")
      yield* failed.fail(Errors.quotaExceeded())
      yield* Effect.gen(function* () {
        expect(yield* Chat.collect(Provider.stream(hello))).toMatchObject({ text: "Hel", reason: "length" })
        const error = yield* Effect.flip(Chat.collect(Provider.stream(hello)))
        expect(error).toMatchObject({ _tag: "QuotaExceeded", partial: "Hel", emitted: true })
      }).pipe(Effect.provide(TestProvider.layer([ended.answer, failed.answer])))
      // What comes behind the end is nobody's.
      yield* ended.write("more")
      yield* ended.end()
      yield* ended.fail(Errors.transient())
      yield* ended.taken
    })
  )

  it.effect("written by the test: nobody waits for a reader that is gone, and waiting can be interrupted", () =>
    Effect.gen(function* () {
      const answer = yield* TestProvider.written
      const waiting = yield* Effect.fork(answer.taken)
      yield* TestClock.adjust(0)
      expect(yield* isPending(waiting)).toBe(true)
      yield* Fiber.interrupt(waiting)
      const call = Provider.stream(hello).pipe(Stream.take(1), Stream.runDrain)
      const reading = yield* Effect.fork(Effect.provide(call, TestProvider.layer([answer.answer])))
      yield* answer.write("a", "b", "c")
      yield* Fiber.join(reading)
      yield* answer.taken
    })
  )

  it.effect("written by the test: a Finish that is written is the end", () =>
    Effect.gen(function* () {
      const { answer, end, write } = yield* TestProvider.written
      const finish = { reason: "length", rawReason: "x", usage: Chat.unknownUsage, model: "m", id: "i" } as const
      yield* write("Hel", { _tag: "Finish", ...finish }, "lo")
      yield* end()
      const events = yield* Effect.provide(Stream.runCollect(Provider.stream(hello)), TestProvider.layer(answer))
      expect(Array.from(events)).toEqual([
        { _tag: "TextDelta", text: "Hel" },
        { _tag: "Finish", ...finish }
      ])
    })
  )

  it.effect("written by the test: is the answer of one call, and a second one is told so", () =>
    Effect.gen(function* () {
      const { answer, end } = yield* TestProvider.written
      yield* end()
      yield* Effect.gen(function* () {
        yield* Provider.complete(hello)
        const exit = yield* Effect.exit(Provider.complete(hello))
        expect(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : "")).toContain("the answer of one call")
      }).pipe(Effect.provide(TestProvider.layer(answer)))
    })
  )

  it.effect("interrupted after any number of steps, leaves nothing behind and serves the next call", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      for (let steps = 0; steps < 40; steps++) {
        const fake = yield* TestProvider.make([
          TestProvider.replies(["a", Effect.yieldNow(), "b", Effect.yieldNow(), "c"]),
          TestProvider.reply("next")
        ])
        const call = yield* Effect.fork(fake.provider.complete(hello))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow()
        const exit = yield* Fiber.interrupt(call)
        const [entry] = yield* fake.calls
        if (entry === undefined) continue
        ends.push(`${entry.aborted ? "aborted" : "whole"} ${exit._tag}`)
        expect((yield* fake.provider.complete(hello)).text).toBe("next")
      }
      // Interrupted between the Finish and the reply, a call had all of its answer.
      expect([...new Set(ends)].join(", ")).toMatch(/^aborted Failure, (whole Failure, )?whole Success$/)
    })
  )

  it.effect("behind a fallback, and inside of middleware", () =>
    Effect.gen(function* () {
      const first = yield* TestProvider.make(TestProvider.fail(Errors.quotaExceeded()), { id: "first" })
      const second = yield* TestProvider.make(TestProvider.reply("Hi"), { id: "second" })
      const both = Provider.fallback([Provider.make({ ...first.provider }), second.provider])
      expect((yield* both.complete(hello)).text).toBe("Hi")
      expect((yield* Chat.collect(both.stream(hello))).text).toBe("Hi")
      expect([(yield* first.requests).length, (yield* second.requests).length]).toEqual([2, 2])
    })
  )

  it.effect("is any stream of events", () =>
    Effect.gen(function* () {
      expect((yield* Provider.complete(hello)).text).toBe("abc")
    }).pipe(
      Effect.provide(
        TestProvider.layer([
          Stream.fromIterable<Chat.Event>([
            ...["a", "b", "c"].map((text) => ({ _tag: "TextDelta", text }) as const),
            { _tag: "Finish", reason: "stop", rawReason: "", usage: Chat.unknownUsage, model: undefined, id: undefined }
          ])
        ])
      )
    )
  )

  it.effect("hands every event on as it is, in order, and a call with an id if it has none", () =>
    Effect.gen(function* () {
      const events: ReadonlyArray<Chat.Event> = [
        { _tag: "ReasoningDelta", text: "Hm." },
        { _tag: "TextDelta", text: "a" },
        { _tag: "ToolCallDelta", id: "c", name: "n", delta: "{}" },
        { _tag: "ToolCall", id: "c", name: "n", input: {} },
        { _tag: "Finish", reason: "other", rawReason: "x", usage: Chat.unknownUsage, model: "m", id: "i" }
      ]
      const got = yield* Stream.runCollect(Provider.stream(hello)).pipe(
        Effect.provide(TestProvider.layer([TestProvider.replies(events)]))
      )
      expect(Array.from(got)).toEqual(events)
    })
  )

  it.effect("a consumer that stops early has aborted the answer; one that has the Finish has not", () =>
    Effect.gen(function* () {
      const fake = yield* TestProvider.TestProvider
      const stream = Provider.stream(hello)
      yield* Stream.runDrain(Stream.take(stream, 1))
      yield* Stream.runDrain(Stream.takeUntil(stream, ({ _tag }) => _tag === "Finish"))
      yield* Effect.flip(Stream.runDrain(stream))
      expect((yield* fake.calls).map(({ aborted }) => aborted)).toEqual([true, false, false])
    }).pipe(
      Effect.provide(
        TestProvider.layer([
          TestProvider.replies(["a", Effect.sleep(0), "b"]),
          TestProvider.replies(["a", "b"]),
          TestProvider.replies(["a", Errors.transient()])
        ])
      )
    )
  )

  it.effect("without a layer: a service to be handed on, with a name, a model, a list and a key of its own", () =>
    Effect.gen(function* () {
      const listed = [{ id: "m-1", name: undefined, ownedBy: undefined, contextWindow: undefined, created: undefined }]
      const fake = yield* TestProvider.make([TestProvider.reply("Hi")], {
        id: "mimo",
        model: "m-1",
        models: Effect.succeed(listed)
      })
      expect([fake.provider.id, fake.provider.model]).toEqual(["mimo", "m-1"])
      expect(yield* fake.provider.models).toEqual(listed)
      expect(yield* fake.provider.complete(hello)).toMatchObject({ text: "Hi", model: "m-1" })
      const bare = yield* TestProvider.make()
      expect([bare.provider.id, bare.provider.model, bare.provider.credential]).toEqual([
        "test",
        "test-model",
        undefined
      ])
      expect(yield* Effect.flip(bare.provider.models)).toMatchObject({ reason: "NotOffered" })
    })
  )

  it.effect("behind everything that a provider can do", () =>
    Effect.gen(function* () {
      const City = Schema.Struct({ name: Schema.String })
      const { value } = yield* Provider.completeObject(City, hello)
      expect(value).toEqual({ name: "Rome" })
      yield* Provider.verify
      const [first, second] = yield* TestProvider.requests
      expect([typeof first?.output, second?.maxTokens]).toEqual(["object", 16])
    }).pipe(Effect.provide(TestProvider.layer([TestProvider.reply('{"name":"Rome"}'), TestProvider.reply("pong")])))
  )

  it.effect("two layers are two fakes, and a layer that is built twice begins anew", () =>
    Effect.gen(function* () {
      const layer = TestProvider.layer([TestProvider.reply("Hi")])
      for (const _ of [1, 2]) {
        expect((yield* Effect.provide(Provider.complete(hello), Layer.fresh(layer))).text).toBe("Hi")
      }
    })
  )

  it.effect("an answer of very many events takes linear time", () =>
    Effect.gen(function* () {
      const read = (count: number) =>
        Effect.provide(
          Provider.complete(hello),
          TestProvider.layer([TestProvider.replies(Array.from({ length: count }, (_, i) => `${i} `))])
        )
      expect(yield* growthOf(read(2000), read(8000))).toBeLessThan(10)
    })
  )
})
