/** Whatever the model answers and whenever the program is interrupted: no tool runs twice, no call goes without a result. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, FastCheck as fc, Option, Schema, Stream, TestClock, TestContext } from "effect"
import { Chat, Opened, Provider, Tool, Toolkit } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { isLong, runs } from "./Effort.js"
import { mimo } from "./Wire.js"

const parameters = Schema.Struct({ token: Schema.Int, millis: Schema.Int })
const work = Tool.make({ name: "work", parameters })
const fail = Tool.make({ name: "fail", parameters })
/** The program's own. */
const ask = Tool.make({ name: "ask", parameters })

/** What a tool did, by the token that each call of a script has for itself. */
class Ledger {
  readonly begun: Array<number> = []
  readonly ended = new Set<number>()
  running = 0
  most = 0

  readonly toolkit = Toolkit.make(work, fail).handlers({
    work: (args) => Effect.as(this.run(args), `done ${args.token}`),
    fail: (args) => Effect.zipRight(this.run(args), Effect.fail(`failed ${args.token}`))
  })

  private run({ millis, token }: typeof parameters.Type): Effect.Effect<void> {
    const begin = Effect.sync(() => {
      this.begun.push(token)
      this.most = Math.max(this.most, ++this.running)
    })
    const end = Effect.sync(() => {
      this.running--
    })
    const whole = Effect.sync(() => {
      this.ended.add(token)
    })
    return Effect.acquireUseRelease(
      begin,
      () => Effect.zipRight(millis === 0 ? Effect.yieldNow() : Effect.sleep(millis), whole),
      () => end
    )
  }
}

/** Each call has its result right behind its answer, in the calls' order, once, and no result is there without a call. */
const isSound = (messages: ReadonlyArray<Chat.Message>): boolean => {
  const open: Array<string> = []
  for (const message of messages) {
    if (message.role === "tool") {
      if (open.shift() !== message.toolCallId) return false
    } else if (open.length > 0) return false
    else if (message.role === "assistant") open.push(...(message.toolCalls ?? []).map(({ id }) => id))
  }
  return open.length === 0
}

/** The results that a history has, by the call's token. */
const results = (messages: ReadonlyArray<Chat.Message>): ReadonlyMap<number, Chat.ToolMessage> => {
  const found = new Map<number, Chat.ToolMessage>()
  // The program's own calls may have none yet, and ids repeat: id and name together tell whose it is.
  let open: Array<readonly [key: string, token: number]> = []
  for (const message of messages) {
    if (message.role === "assistant") {
      open = (message.toolCalls ?? []).map(({ id, input, name }) => [
        `${id} ${name}`,
        Schema.decodeUnknownSync(withToken)(input).token
      ])
    }
    if (message.role !== "tool") continue
    const [taken] = open.splice(
      open.findIndex(([key]) => key === `${message.toolCallId} ${message.name}`),
      1
    )
    if (taken === undefined || found.has(taken[1])) throw new Error("a result without a call, or the second of a call")
    found.set(taken[1], message)
  }
  return found
}

const withToken = Schema.Struct({ token: Schema.Int })

/** The results in a history say what happened, as far as anybody can know. */
const isTrue = (messages: ReadonlyArray<Chat.Message>, ledger: Ledger): boolean =>
  Array.from(results(messages)).every(([token, { content, isError = false, name }]) => {
    const said = String(content)
    if (said === `done ${token}`) return name === "work" && ledger.ended.has(token) && !isError
    if (said === `failed ${token}`) return name === "fail" && ledger.ended.has(token) && isError
    if (said.includes("not known")) return isError
    return name === "ask" || (isError && !ledger.begun.includes(token))
  })

// ---------------------------------------------------------------------------------------------------------------------
// Any script
// ---------------------------------------------------------------------------------------------------------------------

interface Called {
  readonly name: string
  readonly millis: number | string
  /** Servers repeat ids, in an answer and from one answer to the next. */
  readonly id: string | undefined
}

type Move =
  | { readonly _tag: "Calls"; readonly calls: ReadonlyArray<Called>; readonly reason: Chat.FinishReason }
  | { readonly _tag: "Says" }
  | { readonly _tag: "Refuses"; readonly status: number }
  | { readonly _tag: "Breaks"; readonly calls: ReadonlyArray<Called> }

const called: fc.Arbitrary<Called> = fc.record({
  name: fc.constantFrom("work", "work", "work", "fail", "ask", "nowhere"),
  millis: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 1, arbitrary: fc.constant("x") }
  ),
  id: fc.constantFrom(undefined, undefined, "same")
})

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constant("Calls" as const),
      calls: fc.array(called, { minLength: 1, maxLength: 4 }),
      reason: fc.constantFrom<Chat.FinishReason>(
        "tool-calls",
        "tool-calls",
        "tool-calls",
        "stop",
        "length",
        "content-filter"
      )
    })
  },
  { weight: 1, arbitrary: fc.constant({ _tag: "Says" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("Refuses" as const), status: fc.constantFrom(401, 503, 400) })
  },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("Breaks" as const), calls: fc.array(called, { maxLength: 2 }) })
  }
)

const scene = fc.record({
  moves: fc.array(move, { minLength: 1, maxLength: 6 }),
  concurrency: fc.constantFrom(undefined, 1, 2, 3, "unbounded" as const),
  maxSteps: fc.integer({ min: 1, max: 5 }),
  /** In this millisecond of each conversation the program is interrupted, and then goes on. */
  interruptions: fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 4 }),
  refuses: fc.func(fc.boolean())
})

const answersOf = (moves: ReadonlyArray<Move>): Gateway.Script => {
  let token = 0
  const callsOf = (calls: ReadonlyArray<Called>) =>
    calls.map(({ id, millis, name }) => {
      token++
      return { _tag: "ToolCall" as const, id: id ?? `call-${token}`, name, input: { token, millis } }
    })
  return moves.map((move) => {
    if (move._tag === "Says") return Gateway.reply("So it is.")
    if (move._tag === "Refuses") return Gateway.refused(move.status)
    if (move._tag === "Breaks") return Gateway.dropAfter(["Let ", ...callsOf(move.calls)])
    return Gateway.replies(["Let me see. ", ...callsOf(move.calls)], { reason: move.reason })
  })
}

/** A program that stores its progress, goes on when it is interrupted or an answer breaks off, and answers its own tools. */
const program = (
  { concurrency, interruptions, maxSteps, moves, refuses }: typeof scene extends fc.Arbitrary<infer A> ? A : never,
  ledger: Ledger
) =>
  Effect.gen(function* () {
    const inner = yield* Provider.Provider
    const asked: Array<ReadonlyArray<Chat.Message>> = []
    const provider = Provider.make({
      ...inner,
      open: (request) => {
        asked.push(request.messages)
        return inner.open(request)
      }
    })
    let stored: ReadonlyArray<Chat.Message> = [Chat.user("Well?")]
    for (let round = 0; round < 5 && asked.length < moves.length; round++) {
      const conversation = Toolkit.converse(
        { messages: stored, tools: [ask] },
        {
          toolkit: ledger.toolkit,
          maxSteps,
          concurrency,
          approve: ({ input }) => Effect.sync(() => !refuses(input)),
          onProgress: ({ messages }) =>
            Effect.sync(() => {
              stored = messages
            })
        }
      ).pipe(Toolkit.outcome, Effect.provideService(Provider.Provider, provider))
      const fiber = yield* Effect.fork(conversation)
      const at = interruptions[round]
      yield* TestClock.adjust(at ?? "10 minutes")
      const exit = at === undefined ? yield* Fiber.await(fiber) : yield* Fiber.interrupt(fiber)
      const begun = ledger.begun.length
      yield* TestClock.adjust("1 minute")
      // Nothing goes on in secret.
      expect([ledger.begun.length, ledger.running]).toEqual([begun, 0])
      expect(isTrue(stored, ledger)).toBe(true)
      if (Exit.isSuccess(exit)) {
        const { messages, steps } = exit.value
        expect(steps.length).toBeLessThanOrEqual(maxSteps)
        if (exit.value._tag !== "Waiting") expect(messages.slice(0, stored.length)).toEqual(stored)
        // Results stand in the calls' order, so what the program answers goes where its calls are.
        stored = exit.value._tag === "Waiting" ? withAnswers(messages, exit.value.calls) : messages
      } else {
        expect(Option.isNone(Cause.dieOption(exit.cause))).toBe(true)
        const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
        if (error !== undefined) {
          const before = Toolkit.before(error)?.messages ?? []
          expect(isTrue(before, ledger)).toBe(true)
          expect(before.slice(0, stored.length)).toEqual(stored)
        }
      }
    }
    return asked
  })

/** The program's own answers, each at the place of its call. */
const withAnswers = (
  messages: ReadonlyArray<Chat.Message>,
  calls: ReadonlyArray<Chat.ToolCall>
): ReadonlyArray<Chat.Message> => {
  const last = messages.findLastIndex(({ role }) => role === "assistant")
  const reply = messages[last]
  if (reply?.role !== "assistant") return messages
  const given = messages.slice(last + 1)
  const answers = (reply.toolCalls ?? []).map((call) =>
    calls.includes(call) ? Chat.toolResult(call, "yes") : given.shift()
  )
  return [...messages.slice(0, last + 1), ...answers.filter((message) => message !== undefined)]
}

describe("whatever the script of answers and interruptions", () => {
  it("converse never runs a tool twice, and never sends a call without its result", () =>
    fc.assert(
      fc.asyncProperty(scene, (scene) => {
        const ledger = new Ledger()
        return Effect.gen(function* () {
          const asked = yield* program(scene, ledger)
          expect(asked.length).toBeGreaterThan(0)
          expect(asked.filter((messages) => !isSound(messages))).toEqual([])
          expect(new Set(ledger.begun).size).toBe(ledger.begun.length)
          expect(ledger.most).toBeLessThanOrEqual(
            scene.concurrency === "unbounded" ? Number.POSITIVE_INFINITY : (scene.concurrency ?? 1)
          )
        }).pipe(
          Effect.provide(mimo(answersOf(scene.moves))),
          Effect.provide(TestContext.TestContext),
          Effect.runPromise
        )
      }),
      { numRuns: runs(40) }
    ))
})

// ---------------------------------------------------------------------------------------------------------------------
// Any moment
// ---------------------------------------------------------------------------------------------------------------------

/** Three answers, the first two of which call two tools each. It answers what the history shows to be next. */
const model = (seen: Array<ReadonlyArray<Chat.Message>>) => {
  const finish = { rawReason: "", usage: Chat.unknownUsage, model: "fake", id: undefined } as const
  let token = 0
  return Provider.make({
    id: "fake",
    open: ({ messages }) =>
      Effect.sync(() => {
        seen.push(messages)
        const step = messages.filter(({ role }) => role === "assistant").length
        const calls = [1, 2].map(() => {
          token++
          return { _tag: "ToolCall", id: `call-${token}`, name: "work", input: { token, millis: 0 } } as const
        })
        return Opened.fromEvents(
          step < 2
            ? [...calls, { _tag: "Finish", reason: "tool-calls", ...finish }]
            : [
                { _tag: "TextDelta", text: "done" },
                { _tag: "Finish", reason: "stop", ...finish }
              ]
        )
      })
  })
}

/** Interrupted after so many turns of the scheduler, one each 16 operations, and then gone on to the end. */
const interruptedAfter = (turns: number, concurrency: number) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const seen: Array<ReadonlyArray<Chat.Message>> = []
    let stored: ReadonlyArray<Chat.Message> = [Chat.user("Well?")]
    const conversation = () =>
      Toolkit.converse(
        { messages: stored },
        {
          toolkit: ledger.toolkit,
          concurrency,
          onProgress: ({ messages }) =>
            Effect.sync(() => {
              stored = messages
            })
        }
      ).pipe(Stream.runDrain, Effect.provideService(Provider.Provider, provider), Effect.withMaxOpsBeforeYield(16))
    const provider = model(seen)
    const fiber = yield* Effect.fork(conversation())
    for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow()
    const exit = yield* Fiber.interrupt(fiber)
    expect(isTrue(stored, ledger)).toBe(true)
    const known = results(stored)
    // A tool that has ended is in the history, as done or as not known; one that is done was not run again.
    if (Exit.isFailure(exit)) yield* conversation()
    expect(ledger.running).toBe(0)
    expect(new Set(ledger.begun).size).toBe(ledger.begun.length)
    for (const token of ledger.ended) if (token <= Math.max(0, ...known.keys())) expect(known.has(token)).toBe(true)
    expect(seen.filter((messages) => !isSound(messages))).toEqual([])
    expect(stored.at(-1)).toMatchObject({ role: "assistant", content: "done" })
    return Exit.isSuccess(exit)
  })

describe("at whatever moment", () => {
  for (const concurrency of [1, 2]) {
    it.live(`a program is interrupted, it can go on (${concurrency} at a time)`, () =>
      Effect.gen(function* () {
        let turns = 0
        while (!(yield* interruptedAfter(turns, concurrency))) turns += isLong ? 1 : 5
        expect(turns).toBeGreaterThan(50)
      })
    )
  }
})
