/**
 * A provider without HTTP, for a program's own unit tests: it says what a script says, holds it back until the test
 * lets it go, and remembers what it was asked. One call is one answer. It retries nothing and reads no wire; what a
 * real provider does between a program and a server is tested with `Gateway`.
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Opened from "../answer/Opened.js"
import type * as Chat from "../Chat.js"
import type * as Credential from "../Credential.js"
import { unknownUsage } from "../chat/Event.js"
import type * as Protocol from "../Protocol.js"
import * as Provider from "../Provider.js"
import * as ProviderError from "../ProviderError.js"
import type { Counts, End } from "./Said.js"

type Error = ProviderError.ProviderError

/** The events of an answer, the last of them `Finish`; or its failure. The functions below make them. */
export type Answer = Stream.Stream<Chat.Event, Error>

/**
 * An answer that depends on the request, whose `model` is the one that is asked, and on the number of the call, from 0.
 */
export type AnswerTo = (request: Chat.Request, index: number) => Scripted

/** What a script is made of. */
export type Scripted = Answer | AnswerTo

/**
 * The answers in order, or a function that picks one by the request and the number of the call, from 0. `reply` and its
 * like are such functions, so one alone is a script, too: it answers every call. A call that finds no answer is a
 * defect, because it is the test that is wrong, and the program should not handle it.
 */
export type Script = ReadonlyArray<Scripted> | AnswerTo

/**
 * A piece of an answer: a text, an event of any kind, a tool call that may do without an `id`, or an effect, which is
 * waited for. An effect that fails is the end of the answer, and a `ProviderError` is such an effect.
 */
export type Piece =
  | string
  | Chat.Event
  | { readonly _tag: "ToolCall"; readonly id?: string | undefined; readonly name: string; readonly input: unknown }
  | Effect.Effect<unknown, Error>

/** What may be said of a reply. Everything has a default. */
export interface ReplyOptions extends End {
  /** What the model thinks before it speaks. */
  readonly reasoning?: string | undefined
}

/** What may be said of a tool call's answer. Everything has a default. */
export interface ToolCallOptions extends ReplyOptions {
  /** The id of the call. Default: one that no other call of the script has. */
  readonly callId?: string | undefined
}

/** A call that the provider got. */
export interface Call {
  /** As the program made it. */
  readonly request: Chat.Request
  /** Whether the answer was asked for as a stream, and not with `complete`. */
  readonly streamed: boolean
  /** When: milliseconds since the epoch, by the `Clock`. */
  readonly at: number
  /** Whether the program gave up before it had the `Finish` or the failure. */
  readonly aborted: boolean
}

/** Who the provider is. Everything has a default. */
export interface Options {
  /** Who answers. Default `test`. */
  readonly id?: string | undefined
  /** The model of requests that name none. Default `test-model`. */
  readonly model?: string | undefined
  /** The list of models. Default: there is none. */
  readonly models?: Effect.Effect<ReadonlyArray<Protocol.Model>, Error> | undefined
  /** The key. Default: there is none. */
  readonly credential?: Credential.Credential | undefined
}

/** A provider, and the test's end of it. */
export interface Service {
  /** What the program asks. */
  readonly provider: Provider.Service
  /** Adds answers behind those that are left. They come before what a function says. */
  readonly push: (...answers: ReadonlyArray<Scripted>) => Effect.Effect<void>
  /** The requests so far, oldest first. */
  readonly requests: Effect.Effect<ReadonlyArray<Chat.Request>>
  /** The calls so far, oldest first. */
  readonly calls: Effect.Effect<ReadonlyArray<Call>>
}

/** The tag of the test's end. */
export class TestProvider extends Context.Tag("knowngood/testing/TestProvider")<TestProvider, Service>() {}

/** Adds answers to the provider in the context. */
export const push = (...answers: ReadonlyArray<Scripted>): Effect.Effect<void, never, TestProvider> =>
  Effect.flatMap(TestProvider, (fake) => fake.push(...answers))

/** The requests that the provider in the context has got so far, oldest first. */
export const requests: Effect.Effect<ReadonlyArray<Chat.Request>, never, TestProvider> = Effect.flatMap(
  TestProvider,
  (fake) => fake.requests
)

/** The calls that the provider in the context has got so far, oldest first. */
export const calls: Effect.Effect<ReadonlyArray<Call>, never, TestProvider> = Effect.flatMap(
  TestProvider,
  (fake) => fake.calls
)

/**
 * A provider, and the test's end of it, as a value: for a program with several.
 *
 * @example
 * import { Context, Effect, Layer } from "effect"
 * import type { Provider } from "knowngood"
 * import { TestProvider } from "knowngood/testing"
 *
 * class Writer extends Context.Tag("Writer")<Writer, Provider.Service>() {}
 *
 * const writer = Layer.effect(
 *   Writer,
 *   Effect.map(TestProvider.make(TestProvider.reply("Hello")), ({ provider }) => provider)
 * )
 */
export const make = (script: Script = [], options: Options = {}): Effect.Effect<Service> =>
  Effect.sync(() => new Fake(script, options))

/**
 * A layer of `Provider` that says what the script says, and of `TestProvider`, the test's end of it.
 *
 * @example
 * import { expect, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { Chat, Provider } from "knowngood"
 * import { Errors, TestProvider } from "knowngood/testing"
 *
 * const program = Provider.complete({ messages: [Chat.user("Hi")] }).pipe(
 *   Effect.map(({ text }) => text),
 *   Effect.catchTag("QuotaExceeded", () => Effect.succeed("Please top up."))
 * )
 *
 * it.effect("says what the model says, or that there is no credit left", () =>
 *   Effect.gen(function* () {
 *     expect([yield* program, yield* program]).toEqual(["Hello", "Please top up."])
 *     expect(yield* TestProvider.requests).toHaveLength(2)
 *   }).pipe(
 *     Effect.provide(TestProvider.layer([TestProvider.reply("Hello"), TestProvider.fail(Errors.quotaExceeded())]))
 *   )
 * )
 */
export const layer = (script?: Script, options?: Options): Layer.Layer<TestProvider | Provider.Provider> =>
  Layer.effectContext(
    Effect.map(make(script, options), (fake) =>
      Context.make(TestProvider, fake).pipe(Context.add(Provider.Provider, fake.provider))
    )
  )

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

/** The model answers with this text, in one piece. */
export const reply = (text: string, options?: ReplyOptions): AnswerTo => replies([text], options)

/**
 * The model answers with these pieces. A `Finish` is added if there is none. An effect among them is waited for.
 *
 * @example
 * import { Effect } from "effect"
 * import { Errors, TestProvider } from "knowngood/testing"
 *
 * const script = [
 *   TestProvider.replies(["Hel", Effect.sleep("1 second"), "lo"]),
 *   TestProvider.replies(["Hel", Errors.transient({ reason: "StreamInterrupted" })])
 * ]
 */
export const replies = (pieces: Iterable<Piece>, options: ReplyOptions = {}): AnswerTo => {
  const { reasoning, ...end } = options
  const thought: ReadonlyArray<Piece> = reasoning === undefined ? [] : [{ _tag: "ReasoningDelta", text: reasoning }]
  const all = [...thought, ...pieces]
  return (request, index) => said(all, end, request, index)
}

/** The model calls this tool, and says nothing else. */
export const toolCall = (name: string, input: unknown, options: ToolCallOptions = {}): AnswerTo => {
  const { callId, ...rest } = options
  return replies([{ _tag: "ToolCall", id: callId, name, input }], rest)
}

/** The call fails, before any output. */
export const fail =
  (error: Error): AnswerTo =>
  () =>
    Stream.fail(error)

/**
 * The same answer, but it begins after this long, or once this effect is done: a test can hold an answer back until
 * something else has happened.
 *
 * @example
 * import { Deferred, Effect } from "effect"
 * import { TestProvider } from "knowngood/testing"
 *
 * const held = Effect.map(Deferred.make<void>(), (gate) => ({
 *   open: Deferred.succeed(gate, undefined),
 *   layer: TestProvider.layer([TestProvider.delay(Deferred.await(gate), TestProvider.reply("Hello"))])
 * }))
 */
export function delay(after: Duration.DurationInput | Effect.Effect<unknown, Error>, answer: Answer): Answer
export function delay(after: Duration.DurationInput | Effect.Effect<unknown, Error>, answer: Scripted): Scripted
export function delay(after: Duration.DurationInput | Effect.Effect<unknown, Error>, answer: Scripted): Scripted {
  if (typeof answer === "function") return (request, index) => delay(after, answer(request, index))
  return Stream.unwrap(Effect.as(Effect.isEffect(after) ? after : Effect.sleep(after), answer))
}

/** The pieces as events, with the end that is missing. */
const said = (pieces: ReadonlyArray<Piece>, options: End, request: Chat.Request, index: number): Answer => {
  const steps: Array<Effect.Effect<ReadonlyArray<Chat.Event>, Error>> = []
  let calls = 0
  let end: Chat.Finish | undefined
  for (const piece of pieces) {
    if (typeof piece === "string") steps.push(Effect.succeed([{ _tag: "TextDelta", text: piece }]))
    else if (Effect.isEffect(piece)) steps.push(Effect.as(piece, []))
    else if (piece._tag === "Finish") end = piece
    else if (piece._tag === "ToolCall") {
      calls++
      steps.push(Effect.succeed([{ ...piece, id: piece.id ?? `call_${index + 1}_${calls}` }]))
    } else steps.push(Effect.succeed([piece]))
  }
  const reason = calls > 0 ? "tool-calls" : "stop"
  const finish = ended(end ?? { ...usual, reason, rawReason: reason, model: request.model, id: `answer_${index + 1}` })
  return Stream.fromIterable(steps).pipe(
    Stream.rechunk(1),
    Stream.mapEffect((step) => step),
    Stream.flattenIterables,
    Stream.concat(Stream.succeed(finish(options)))
  )
}

const usual = {
  _tag: "Finish",
  usage: { ...unknownUsage, inputTokens: 10, outputTokens: 5, totalTokens: 15 }
} as const

/** The end of an answer, with what the options say of it. */
const ended =
  (finish: Chat.Finish) =>
  ({ id = finish.id, model = finish.model, reason, refusal = finish.refusal, usage }: End): Chat.Finish => ({
    ...finish,
    id,
    model,
    ...(reason === undefined ? undefined : { reason, rawReason: reason }),
    ...(refusal === undefined ? undefined : { refusal }),
    ...(usage === undefined ? undefined : { usage: counted(usage) })
  })

const counted = (counts: Counts): Chat.Usage => {
  const { inputTokens, outputTokens } = counts
  const sum = inputTokens === undefined ? undefined : inputTokens + (outputTokens ?? 0)
  return { ...unknownUsage, ...counts, totalTokens: counts.totalTokens ?? sum }
}

// ---------------------------------------------------------------------------------------------------------------------
// An answer that is written as the test goes
// ---------------------------------------------------------------------------------------------------------------------

/** An answer that a test writes piece by piece. What is written behind its end is ignored. */
export interface Written {
  /** For the script. It is the answer of one call. */
  readonly answer: AnswerTo
  /** Says these pieces. It does not wait for a reader. */
  readonly write: (...pieces: ReadonlyArray<string | Chat.Event>) => Effect.Effect<void>
  /** The model stops. */
  readonly end: (options?: End) => Effect.Effect<void>
  /** The answer breaks, or fails if nothing has been written. */
  readonly fail: (error: Error) => Effect.Effect<void>
  /**
   * Waits until the reader has taken everything and asks for more, or has gone: whatever it does with a piece, it has
   * done. As long as nobody reads the answer, this waits.
   */
  readonly taken: Effect.Effect<void>
}

/**
 * Makes an answer that the test writes as it goes, to see what the program does with one half of it.
 *
 * @example
 * import { expect, it } from "@effect/vitest"
 * import { Effect, Fiber } from "effect"
 * import { Chat, Provider } from "knowngood"
 * import { TestProvider } from "knowngood/testing"
 *
 * it.effect("shows each piece as it comes", () =>
 *   Effect.gen(function* () {
 *     const shown: Array<string> = []
 *     const program = Provider.listen({ messages: [Chat.user("Hi")] }, (event) => {
 *       if (event._tag === "TextDelta") shown.push(event.text)
 *     })
 *     const { answer, end, taken, write } = yield* TestProvider.written
 *     const fiber = yield* Effect.fork(Effect.provide(program, TestProvider.layer(answer)))
 *     yield* write("Hel")
 *     yield* taken
 *     expect(shown).toEqual(["Hel"])
 *     yield* end()
 *     yield* Fiber.join(fiber)
 *   })
 * )
 */
export const written: Effect.Effect<Written> = Effect.sync(() => {
  const page = new Page()
  return {
    answer: (request, index) => page.read(request, index),
    write: (...pieces) =>
      Effect.sync(() =>
        page.write(
          ...pieces.map((piece) => (typeof piece === "string" ? ({ _tag: "TextDelta", text: piece } as const) : piece))
        )
      ),
    end: (options) => Effect.sync(() => page.end(options ?? {})),
    fail: (error) => Effect.sync(() => page.fail(error)),
    taken: page.taken
  }
})

type Pulled = Effect.Effect<Chunk.Chunk<Chat.Event>, Option.Option<Error>>

/** What is written and not read yet. */
class Page {
  private ready: Array<Chat.Event> = []
  private calls = 0
  /** What comes behind `ready`: the end of the stream. */
  private ending: "open" | { readonly options: End } | { readonly error: Error } | "read" = "open"
  /** Whether a call has it. */
  private isGiven = false
  /** Wakes the reader, while it waits for more. */
  private wake: (() => void) | undefined
  /** Those who wait until all is read. */
  private readonly waiting = new Set<() => void>()
  /** Whether the reader stopped. */
  private isGone = false

  write(...events: ReadonlyArray<Chat.Event>): void {
    if (this.ending !== "open") return
    for (const event of events) {
      if (event._tag === "ToolCall") this.calls++
      this.ready.push(event)
      if (event._tag === "Finish") {
        this.ending = "read"
        break
      }
    }
    if (events.length > 0) this.wake?.()
  }

  end(options: End): void {
    if (this.ending !== "open") return
    this.ending = { options }
    this.wake?.()
  }

  fail(error: Error): void {
    if (this.ending !== "open") return
    this.ending = { error }
    this.wake?.()
  }

  read(request: Chat.Request, index: number): Answer {
    if (this.isGiven) return Stream.die(new Error("TestProvider: what is written is the answer of one call"))
    this.isGiven = true
    const next: Pulled = Effect.zipRight(
      this.more,
      Effect.suspend(() => this.take(request, index))
    )
    const gone = Effect.sync(() => {
      this.isGone = true
      this.tell()
    })
    return Stream.ensuring(Stream.repeatEffectChunkOption(next), gone)
  }

  /** Whether the reader has taken everything and waits, or will never take anything again. */
  private isTaken(): boolean {
    return this.isGone || this.wake !== undefined
  }

  readonly taken: Effect.Effect<void> = Effect.async((resume) => {
    if (this.isTaken()) return resume(Effect.void)
    const done = () => resume(Effect.void)
    this.waiting.add(done)
    return Effect.sync(() => void this.waiting.delete(done))
  })

  private readonly more: Effect.Effect<void> = Effect.async((resume) => {
    if (this.ready.length > 0 || this.ending !== "open") return resume(Effect.void)
    this.wake = () => {
      this.wake = undefined
      resume(Effect.void)
    }
    this.tell()
  })

  private take(request: Chat.Request, index: number): Pulled {
    const { ending, ready } = this
    this.ready = []
    if (ready.length > 0) return Effect.succeed(Chunk.unsafeFromArray(ready))
    if (ending === "open" || ending === "read") return Effect.fail(Option.none())
    this.ending = "read"
    if ("error" in ending) return Effect.fail(Option.some(ending.error))
    const reason = this.calls > 0 ? "tool-calls" : "stop"
    const finish = { ...usual, reason, rawReason: reason, model: request.model, id: `answer_${index + 1}` } as const
    return Effect.succeed(Chunk.of(ended(finish)(ending.options)))
  }

  private tell(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const done of waiting) done()
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The provider
// ---------------------------------------------------------------------------------------------------------------------

type Entry = { -readonly [key in keyof Call]: Call[key] }

class Fake implements Service {
  readonly provider: Provider.Service
  private readonly entries: Array<Entry> = []
  private readonly answers: Array<Scripted>
  /** How many of the answers are given. */
  private given = 0
  private readonly choose: AnswerTo | undefined

  constructor(
    script: Script,
    private readonly options: Options
  ) {
    this.answers = typeof script === "function" ? [] : [...script]
    this.choose = typeof script === "function" ? script : undefined
    this.provider = Provider.make({
      id: options.id ?? "test",
      model: options.model ?? "test-model",
      open: (request) => this.open(request, true),
      complete: (request) => Opened.listen(this.open(request, false), () => undefined),
      models: options.models,
      credential: options.credential
    })
  }

  readonly requests = Effect.sync(() => this.entries.map(({ request }) => request))

  readonly calls = Effect.sync(() => this.entries.map((entry) => ({ ...entry })))

  push(...answers: ReadonlyArray<Scripted>): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const answer of answers) this.answers.push(answer)
    })
  }

  private open(request: Chat.Request, streamed: boolean): Opened.Open {
    const begun = Effect.map(Effect.clock, (clock) => {
      const index = this.entries.length
      const entry: Entry = { request, streamed, at: clock.unsafeCurrentTimeMillis(), aborted: false }
      this.entries.push(entry)
      return new Hearing(this.answer(request, index), entry)
    })
    // Whoever is remembered is released, too, wherever the call is interrupted.
    return Effect.flatMap(
      Effect.acquireRelease(begun, (hearing) => hearing.left),
      ({ answer }) => Opened.fromStream(answer)
    )
  }

  private answer(request: Chat.Request, index: number): Answer {
    let answer = this.given < this.answers.length ? this.answers[this.given++] : this.choose
    const asked = { ...request, model: request.model ?? this.options.model ?? "test-model" }
    while (typeof answer === "function") answer = answer(asked, index)
    return answer ?? Stream.die(new Error(`TestProvider: the script has no answer for request ${index + 1}`))
  }
}

/** An answer that is being heard. */
class Hearing {
  /** Whether its end has come: the `Finish`, or the failure. */
  private isWhole = false
  private text = ""

  constructor(
    private readonly said: Answer,
    private readonly entry: Entry
  ) {}

  readonly answer: Answer = Stream.suspend(() => this.said).pipe(
    Stream.mapChunks((events) => {
      for (const event of events) this.note(event)
      return events
    }),
    Stream.tapErrorCause(() => Effect.sync(() => this.ended())),
    Stream.mapError((error) => (this.entry.streamed && this.text !== "" ? behind(this.text, error) : error))
  )

  readonly left = Effect.sync(() => {
    this.entry.aborted = !this.isWhole
  })

  private note(event: Chat.Event): void {
    if (event._tag === "TextDelta") this.text += event.text
    if (event._tag === "Finish") this.ended()
  }

  private ended(): void {
    this.isWhole = true
  }
}

/** The error as it is when it comes behind this text, unless it says so already. */
const behind = (text: string, error: Error): Error => {
  if (error.emitted) return error
  const facts = { emitted: true, partial: text }
  switch (error._tag) {
    case "AuthMissing":
      return new ProviderError.AuthMissing({ ...error, ...facts })
    case "AuthRejected":
      return new ProviderError.AuthRejected({ ...error, ...facts })
    case "Transient":
      return new ProviderError.Transient({ ...error, ...facts })
    case "QuotaExceeded":
      return new ProviderError.QuotaExceeded({ ...error, ...facts })
    case "InvalidRequest":
      return new ProviderError.InvalidRequest({ ...error, ...facts })
    case "InvalidResponse":
      return new ProviderError.InvalidResponse({ ...error, ...facts })
  }
}
