/** Tools with their handlers: what becomes of the calls of a reply. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Data, Deferred, Effect, Either, Exit, Fiber, Option, Ref, Scheduler, Schema, TestClock } from "effect"
import { type Chat, Tool, Toolkit } from "../src/index.js"

const weather = Tool.make({ name: "weather", parameters: Schema.Struct({ city: Schema.String }) })
const now = Tool.make({ name: "now", parameters: Schema.Struct({}), success: Schema.Struct({ at: Schema.Date }) })

class NoSuchCity extends Data.TaggedError("NoSuchCity")<{ readonly city: string }> {}

const toolkit = Toolkit.make(weather, now).handlers({
  weather: ({ city }) =>
    city === "Atlantis" ? Effect.fail(new NoSuchCity({ city })) : Effect.succeed({ city, celsius: 21 }),
  now: () => Effect.succeed({ at: new Date(0) })
})

let ids = 0
const call = (name: string, input: unknown): Chat.ToolCall => ({ id: `call-${++ids}`, name, input })

const replied = (toolCalls: ReadonlyArray<Chat.ToolCall>, reason: Chat.FinishReason = "tool-calls") => ({
  reason,
  toolCalls
})

/** What the model is told of one call. */
const told = (name: string, input: unknown) =>
  Effect.map(toolkit.handle(replied([call(name, input)])), ([result]) => ({
    tag: result?._tag,
    content: result?.message.content,
    isError: result?.message.isError
  }))

describe("a call", () => {
  const rows: ReadonlyArray<readonly [title: string, name: string, input: unknown, tag: string, content: string]> = [
    ["gives its value, as JSON", "weather", { city: "Rome" }, "Returned", '{"city":"Rome","celsius":21}'],
    ["gives its value, as its schema encodes it", "now", {}, "Returned", '{"at":"1970-01-01T00:00:00.000Z"}'],
    [
      "that fails tells the error",
      "weather",
      { city: "Atlantis" },
      "Failed",
      '{"city":"Atlantis","_tag":"NoSuchCity"}'
    ],
    [
      "that does not fit tells where",
      "weather",
      { town: "Rome" },
      "Misfit",
      "The arguments do not fit:\ncity: missing"
    ],
    [
      "of an unknown tool tells which there are",
      "wether",
      {},
      "UnknownTool",
      "There is no tool of this name. There are: weather, now."
    ],
    [
      "of a tool by a name that every object has is unknown",
      "constructor",
      {},
      "UnknownTool",
      "There is no tool of this name. There are: weather, now."
    ]
  ]
  for (const [title, name, input, tag, content] of rows) {
    it.effect(title, () =>
      Effect.gen(function* () {
        expect(yield* told(name, input)).toEqual({ tag, content, isError: tag === "Returned" ? undefined : true })
      })
    )
  }

  it.effect("answers the call that it was made with, decoded and as it came", () => {
    const seen: Array<unknown> = []
    const dated = Tool.make({ name: "dated", parameters: Schema.Struct({ day: Schema.Date }) })
    const kit = Toolkit.make(dated).handlers({ dated: ({ day }, call) => Effect.sync(() => seen.push(day, call)) })
    return Effect.gen(function* () {
      const made = call("dated", { day: "2026-01-02T00:00:00Z" })
      const [result] = yield* kit.handle(replied([made]))
      expect(seen).toEqual([new Date("2026-01-02T00:00:00Z"), made])
      expect(result).toMatchObject({
        _tag: "Returned",
        name: "dated",
        call: made,
        value: 2,
        message: { toolCallId: made.id }
      })
    })
  })
})

describe("the words for a failure", () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  class Described extends Schema.TaggedError<Described>()("Described", { code: Schema.Number }) {
    override get message() {
      return `code ${this.code}`
    }
  }
  const rows: ReadonlyArray<readonly [name: string, error: unknown, words: string]> = [
    ["a text is the text", "no such city", "no such city"],
    ["an error is its message", new Error("it rains"), "it rains"],
    ["an error of a schema is its message", new Described({ code: 7 }), "code 7"],
    [
      "an error without a message is its fields",
      new NoSuchCity({ city: "Rome" }),
      '{"city":"Rome","_tag":"NoSuchCity"}'
    ],
    ["an error without anything is its name", new TypeError(), "The tool failed: TypeError"],
    ["data is JSON", { code: 7 }, '{"code":7}'],
    ["a number is JSON", 404, "404"],
    ["what cannot be written is said to have failed", circular, "The tool failed."],
    ["an empty text is said to have failed", "", "The tool failed."],
    ["nothing is said to have failed", undefined, "The tool failed."]
  ]
  for (const [name, error, words] of rows) {
    it.effect(`of ${name}`, () =>
      Effect.gen(function* () {
        const kit = Toolkit.make(weather).handlers({ weather: () => Effect.fail(error) })
        const [result] = yield* kit.handle(replied([call("weather", { city: "Rome" })]))
        expect(result).toMatchObject({ _tag: "Failed", error, message: { content: words, isError: true } })
      })
    )
  }
})

describe("a defect is not swallowed", () => {
  const boom = new Error("boom")
  const kitOf = (handler: () => Effect.Effect<unknown, unknown>) => Toolkit.make(weather).handlers({ weather: handler })
  const rows: ReadonlyArray<readonly [name: string, handler: () => Effect.Effect<unknown, unknown>]> = [
    ["that a handler dies of", () => Effect.die(boom)],
    [
      "that a handler throws",
      () => {
        throw boom
      }
    ],
    ["beside a failure", () => Effect.failCause(Cause.parallel(Cause.fail("no"), Cause.die(boom)))]
  ]
  for (const [name, handler] of rows) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(kitOf(handler).handle(replied([call("weather", { city: "Rome" })])))
        expect(Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : exit).toBe(boom)
      })
    )
  }

  it.effect("of a value that JSON does not have, or that the tool's schema does not", () =>
    Effect.gen(function* () {
      const big = kitOf(() => Effect.succeed(1n))
      expect(Exit.isFailure(yield* Effect.exit(big.handle(replied([call("weather", { city: "Rome" })]))))).toBe(true)
      const late = Toolkit.make(now).handlers({ now: () => Effect.succeed({ at: new Date(Number.NaN) }) })
      const exit = yield* Effect.exit(late.handle(replied([call("now", {})])))
      expect(Exit.isFailure(exit) && Option.isSome(Cause.dieOption(exit.cause))).toBe(true)
    })
  )
})

describe("a handler that interrupts a part of itself and fails", () => {
  it.effect("has failed: nobody interrupted it", () =>
    Effect.gen(function* () {
      const kit = Toolkit.make(weather).handlers({
        weather: () => Effect.all([Effect.never, Effect.fail("no")], { concurrency: 2 })
      })
      expect(yield* kit.handle(replied([call("weather", { city: "Rome" })]))).toMatchObject([
        { _tag: "Failed", error: "no" }
      ])
    })
  )
})

describe("the calls of a reply", () => {
  const sleeper = Tool.make({ name: "sleep", parameters: Schema.Struct({ millis: Schema.Number }) })

  /** Sleeps as it is told, and counts how many sleep at once. */
  const sleepers = Effect.gen(function* () {
    const awake = { now: 0, most: 0, begun: 0, interrupted: 0 }
    const kit = Toolkit.make(sleeper).handlers({
      sleep: ({ millis }) =>
        Effect.suspend(() => {
          awake.begun++
          awake.most = Math.max(awake.most, ++awake.now)
          return Effect.as(Effect.sleep(millis), millis)
        }).pipe(
          Effect.onInterrupt(() => Effect.sync(() => awake.interrupted++)),
          Effect.ensuring(Effect.sync(() => awake.now--))
        )
    })
    return { awake, kit }
  })

  const calls = [30, 10, 20, 40, 5].map((millis) => call("sleep", { millis }))

  for (const [concurrency, most, millis] of [
    [undefined, 1, 105],
    [1, 1, 105],
    [2, 2, 70],
    ["unbounded", 5, 40]
  ] as const) {
    it.effect(`run ${concurrency ?? "one"} at a time, and their results are in the calls' order`, () =>
      Effect.gen(function* () {
        const { awake, kit } = yield* sleepers
        const fiber = yield* Effect.fork(kit.handle(replied(calls), { concurrency }))
        yield* TestClock.adjust(millis - 1)
        expect(yield* Fiber.poll(fiber)).toEqual(Option.none())
        yield* TestClock.adjust(1)
        const results = yield* Fiber.join(fiber)
        expect(results.map((result) => result.call)).toEqual(calls)
        expect(awake).toMatchObject({ begun: 5, most })
      })
    )
  }

  it.effect("are interrupted with the program", () =>
    Effect.gen(function* () {
      const { awake, kit } = yield* sleepers
      const fiber = yield* Effect.fork(kit.handle(replied(calls), { concurrency: 2 }))
      yield* TestClock.adjust(15)
      yield* Fiber.interrupt(fiber)
      expect(awake).toMatchObject({ begun: 3, interrupted: 2, now: 0 })
      yield* TestClock.adjust(1000)
      expect(awake.begun).toBe(3)
    })
  )

  it.effect("may be ten thousand", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 10_000 }, () => call("now", {}))
      for (const concurrency of [1, "unbounded"] as const) {
        const results = yield* toolkit.handle(replied(many), { concurrency })
        expect(results.filter(({ _tag }) => _tag === "Returned")).toHaveLength(10_000)
      }
    })
  )

  it.effect("are none: no results", () =>
    Effect.gen(function* () {
      expect(yield* toolkit.handle(replied([]))).toEqual([])
    })
  )

  it.effect("of an answer that a filter stopped are not run", () =>
    Effect.gen(function* () {
      const { awake, kit } = yield* sleepers
      expect(yield* kit.handle(replied(calls.slice(0, 1), "content-filter"))).toMatchObject([
        { _tag: "Refused", message: { isError: true, content: expect.stringContaining("filter") } }
      ])
      expect(awake.begun).toBe(0)
    })
  )
})

describe("approve", () => {
  const asking = (approval: Toolkit.Approval) =>
    Effect.gen(function* () {
      const asked = yield* Ref.make<ReadonlyArray<string>>([])
      const ran = yield* Ref.make(0)
      const kit = Toolkit.make(weather).handlers({
        weather: () =>
          Effect.zipRight(
            Ref.update(ran, (count) => count + 1),
            Effect.succeed("rain")
          )
      })
      const calls = [call("weather", { city: "Rome" }), call("weather", {}), call("wether", {})]
      const results = yield* kit.handle(replied(calls), {
        approve: ({ name }) =>
          Effect.as(
            Ref.update(asked, (names) => [...names, name]),
            approval
          )
      })
      const contents = results.map(({ message }) => message.content)
      return { asked: yield* asked, ran: yield* ran, tags: results.map(({ _tag }) => _tag), content: contents[0] }
    })

  const rows: ReadonlyArray<readonly [approval: Toolkit.Approval, tag: string, ran: number, content: string]> = [
    [true, "Returned", 1, "rain"],
    [false, "Refused", 0, "The call was refused, and was not run."],
    [{ refuse: "Not in Rome." }, "Refused", 0, "Not in Rome."]
  ]
  for (const [approval, tag, ran, content] of rows) {
    it.effect(`${JSON.stringify(approval)}: asked only of a call that could run, ${tag}`, () =>
      Effect.gen(function* () {
        expect(yield* asking(approval)).toEqual({
          asked: ["weather"],
          ran,
          content,
          tags: [tag, "Misfit", "UnknownTool"]
        })
      })
    )
  }

  it.effect("may fail, and then the program does", () =>
    Effect.gen(function* () {
      const handled = toolkit.handle(replied([call("weather", { city: "Rome" })]), {
        approve: () => Effect.fail("gone")
      })
      expect(yield* Effect.flip(handled)).toBe("gone")
    })
  )

  it.effect("that waits is interrupted with the program, and nothing has run", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const handled = toolkit.handle(replied([call("weather", { city: "Rome" })]), {
        approve: () => Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never)
      })
      const fiber = yield* Effect.fork(handled)
      yield* Deferred.await(entered)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
    })
  )
})

describe("onResult", () => {
  it.effect("is told of each result, those included that no handler gave", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const calls = [call("now", {}), call("weather", {}), call("x", {}), call("weather", { city: "Atlantis" })]
      const onResult = ({ _tag }: Toolkit.Result) => Effect.sync(() => told.push(_tag))
      yield* toolkit.handle(replied(calls), { onResult })
      yield* toolkit.handle(replied(calls.slice(0, 1)), { onResult, approve: () => Effect.succeed(false) })
      yield* toolkit.handle(replied(calls.slice(0, 1), "content-filter"), { onResult })
      expect(told).toEqual(["Returned", "Misfit", "UnknownTool", "Failed", "Refused", "Refused"])
    })
  )

  it.effect("is told of a value that was given, whatever is interrupted at that moment", () =>
    Effect.gen(function* () {
      let yields = false
      const told: Array<string> = []
      const scheduler: Scheduler.Scheduler = {
        scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority),
        shouldYield: () => {
          if (!yields) return false
          yields = false
          return 0
        }
      }
      // Its last operation interrupts the program, which sees it before the next.
      const kit = Toolkit.make(weather).handlers({
        weather: () =>
          Effect.withFiberRuntime<string>((fiber) =>
            Effect.sync(() => {
              fiber.unsafeInterruptAsFork(fiber.id())
              yields = true
              return "rain"
            })
          )
      })
      const handled = kit.handle(replied([call("weather", { city: "Rome" })]), {
        onResult: ({ _tag }) => Effect.sync(() => told.push(_tag)).pipe(Effect.delay(10))
      })
      const fiber = yield* Effect.fork(Effect.withScheduler(handled, scheduler))
      yield* TestClock.adjust(10)
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      expect(told).toEqual(["Returned"])
    })
  )
})

describe("a toolkit", () => {
  const untyped: { readonly [name: string]: () => Effect.Effect<string> } = { weather: () => Effect.succeed("rain") }

  it("has its tools, for a request", () => {
    expect(toolkit.tools.map(({ name }) => name)).toEqual(["weather", "now"])
  })

  it("with two tools of one name fails at once", () => {
    expect(() => Toolkit.make(weather, weather)).toThrow('two tools are called "weather"')
    expect(() => Toolkit.merge(toolkit, toolkit)).toThrow('two tools are called "weather"')
  })

  it("without a handler for a tool fails at once, also for one by a name that every object has", () => {
    const dynamic = Tool.make({ name: String("now"), parameters: Schema.Struct({}) })
    expect(() => Toolkit.make(dynamic).handlers(untyped)).toThrow('no handler for "now"')
    const odd = Tool.make({ name: String("toString"), parameters: Schema.Struct({}) })
    expect(() => Toolkit.make(odd).handlers({})).toThrow('no handler for "toString"')
  })

  it("with a handler for no tool fails at once", () => {
    const dynamic = Tool.make({ name: String("weather"), parameters: Schema.Struct({}) })
    expect(() => Toolkit.make(dynamic).handlers({ ...untyped, snow: () => Effect.succeed("") })).toThrow('"snow"')
  })

  it.effect("of several runs each call where its tool is, and knows all names", () =>
    Effect.gen(function* () {
      const roll = Tool.make({ name: "roll", parameters: Schema.Struct({}) })
      const both = Toolkit.merge(toolkit, Toolkit.make(roll).handlers({ roll: () => Effect.succeed(4) }))
      const results = yield* both.handle(replied([call("roll", {}), call("now", {}), call("rol", {})]))
      expect(results.map(({ _tag }) => _tag)).toEqual(["Returned", "Returned", "UnknownTool"])
      expect(results.at(-1)?.message.content).toBe("There is no tool of this name. There are: weather, now, roll.")
    })
  )

  it.effect("of many tools names some of them", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 1000 }, (_, i) =>
        Tool.make({ name: `tool_${i}`, parameters: Schema.Struct({}) })
      )
      const kit = Toolkit.make(...many).handlers(
        Object.fromEntries(many.map(({ name }) => [name, () => Effect.succeed(name)]))
      )
      const [unknown, last] = yield* kit.handle(replied([call("x", {}), call("tool_999", {})]))
      expect(String(unknown?.message.content).length).toBeLessThan(500)
      expect(last).toMatchObject({ _tag: "Returned", value: "tool_999" })
    })
  )

  it.effect("of no tools says so", () =>
    Effect.gen(function* () {
      const [result] = yield* Toolkit.make()
        .handlers({})
        .handle(replied([call("x", {})]))
      expect(result?.message.content).toBe("There are no tools.")
    })
  )

  it.effect("runs one call", () =>
    Effect.gen(function* () {
      const made = call("weather", { city: "Rome" })
      expect(yield* toolkit.run(made)).toMatchObject({ _tag: "Returned", call: made })
      expect(Either.isLeft(weather.decode(call("weather", {})))).toBe(true)
    })
  )
})
