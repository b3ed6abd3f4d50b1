/**
 * The loop in which a model uses tools.
 */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Chat from "../Chat.js"
import type * as ProviderError from "../ProviderError.js"
import { Provider } from "../Service.js"
import { type Ending, Journal, type Outcome, type Progress } from "./Progress.js"
import type * as Result from "./Result.js"
import * as Runner from "./Runner.js"

/** What happens in a conversation. Steps count from 1: one for each time that the model is asked. */
export type Event<A extends Result.Ran = Result.Ran> =
  /** A piece of the answer of this step. */
  | { readonly _tag: "Answer"; readonly step: number; readonly event: Chat.Event }
  /** A call of this step has its result. Calls that run side by side end in any order. */
  | { readonly _tag: "Result"; readonly step: number; readonly result: Result.Result<A> }
  /** The conversation has ended. It is the last event. */
  | { readonly _tag: "End"; readonly outcome: Outcome<A> }

/** How a conversation goes on, and when it ends. */
export interface Options<A extends Result.Ran, R = never, E2 = never, R2 = never, E3 = never, R3 = never> {
  /** What the model may call. */
  readonly toolkit: Runner.Toolkit<A, R>
  /** So many calls of an answer at a time, those included that wait for `approve`. Default: one after the other. */
  readonly concurrency?: number | "unbounded" | undefined
  /**
   * Asked before a call runs that could run: one that fits, of a tool that is there. `{ refuse }` tells the model why not.
   * Default: everything runs.
   */
  readonly approve?: ((call: Chat.ToolCall) => Effect.Effect<Result.Approval, E2, R2>) | undefined
  /** How often the model is asked at most; at least once. Default 20. */
  readonly maxSteps?: number | undefined
  /** Asked after each step whose calls have run, if the model is to be asked again. Default: never stops. */
  readonly stopWhen?: ((progress: Progress<A>) => boolean) | undefined
  /**
   * Told how far the conversation has come: when an answer is complete, before its calls run, and when a call has its
   * result; one after the other, and without being interrupted. A program that stores what it is told can go on from
   * there, whatever happens to it. Default: nobody is told.
   */
  readonly onProgress?: ((progress: Progress<A>) => Effect.Effect<void, E3, R3>) | undefined
}

/**
 * Asks the provider in the context, runs the calls of its answer, and asks again with their results, until the model
 * calls nothing more, or a bound is reached. The stream has every event of every answer, every result, and at the end the
 * outcome, which `Toolkit.outcome` gives alone.
 *
 * - Each call runs once and has one result in the history. Nothing is sent while one is missing.
 * - The request goes out in every step as it is, with the longer history: a `toolChoice` of `required` holds in each, so
 *   such a conversation ends by `maxSteps` or `stopWhen`.
 * - A model that pauses (`reason` is `pause`) is asked again; that is a step.
 * - Tools of the request's own, which the toolkit does not have, are the program's: when one is called, the conversation
 *   ends with `Waiting`.
 * - A step whose answer breaks off fails with the provider's error, and `Toolkit.before` has what came before it. To try
 *   the stream again would run every tool again; to go on, converse with the messages of `before`.
 * - Interruption interrupts the answer or the handlers, and leaves nothing running.
 *
 * @example
 * import { Effect, Schema, Stream } from "effect"
 * import { Chat, Tool, Toolkit } from "knowngood"
 *
 * const search = Tool.make({ name: "search", parameters: Schema.Struct({ query: Schema.String }) })
 * const toolkit = Toolkit.make(search).handlers({ search: ({ query }) => Effect.succeed(`Nothing on ${query}.`) })
 *
 * const program = Toolkit.converse({ messages: [Chat.user("Who was Ada?")] }, { toolkit, maxSteps: 5 }).pipe(
 *   Stream.runForEach((event) => {
 *     if (event._tag === "Answer" && event.event._tag === "TextDelta") return Effect.log(event.event.text)
 *     return event._tag === "End" ? Effect.log(event.outcome._tag, event.outcome.usage) : Effect.void
 *   })
 * )
 */
export const converse = <A extends Result.Ran, R, E2 = never, R2 = never, E3 = never, R3 = never>(
  request: Chat.Request,
  options: Options<A, R, E2, R2, E3, R3>
): Stream.Stream<Event<A>, ProviderError.ProviderError | E2 | E3, Provider | R | R2 | R3> =>
  Stream.fromChannel(
    Channel.flatMap(Provider, (provider) =>
      Channel.suspend(() => new Conversation(request, options, (asked) => provider.stream(asked)).next())
    )
  )

/**
 * Runs a conversation to its end, and gives its outcome.
 *
 * @example
 * import { Effect } from "effect"
 * import { Chat, Toolkit } from "knowngood"
 *
 * const agent = (question: string, toolkit: Toolkit.Toolkit) =>
 *   Toolkit.converse({ messages: [Chat.user(question)] }, { toolkit }).pipe(
 *     Toolkit.outcome,
 *     Effect.flatMap((outcome) =>
 *       outcome._tag === "Done" ? Effect.succeed(outcome.reply.text) : Effect.fail(outcome._tag)
 *     )
 *   )
 */
export const outcome = <A extends Result.Ran, E, R>(
  self: Stream.Stream<Event<A>, E, R>
): Effect.Effect<Outcome<A>, E, R> => {
  const last = Stream.runFold(self, undefined, (before: Outcome<A> | undefined, event) =>
    event._tag === "End" ? event.outcome : before
  )
  return Effect.map(last, (outcome) => {
    if (outcome === undefined) throw new Error("Toolkit.outcome: the conversation ended without an End event")
    return outcome
  })
}

/** Errors that a conversation failed with. Programs keep errors, and one that is forgotten takes its entry along. */
const failures = new WeakMap<object, Progress>()

/**
 * What a conversation had come to when it failed with this error: the steps before the one that broke off, or with it,
 * if its answer was complete. `undefined` for any other error, and for a copy.
 *
 * @example
 * import { Effect } from "effect"
 * import { type Chat, Toolkit } from "knowngood"
 *
 * // Goes on once where an answer broke off. No tool runs twice.
 * const steady = (request: Chat.Request, toolkit: Toolkit.Toolkit) => {
 *   const ask = (request: Chat.Request) => Toolkit.outcome(Toolkit.converse(request, { toolkit }))
 *   return Effect.catchTag(ask(request), "Transient", (error) => {
 *     const progress = Toolkit.before(error)
 *     return progress === undefined ? Effect.fail(error) : ask({ ...request, messages: progress.messages })
 *   })
 * }
 */
export const before = (error: unknown): Progress | undefined =>
  typeof error === "object" && error !== null ? failures.get(error) : undefined

/** How often a model is asked where nobody says. */
const defaultMaxSteps = 20

type Events<A extends Result.Ran, E, R, Done = unknown> = Channel.Channel<
  Chunk.Chunk<Event<A>>,
  unknown,
  E,
  unknown,
  Done,
  unknown,
  R
>

/** One run of a conversation. */
class Conversation<A extends Result.Ran, R, E2, R2, E3, R3> {
  private readonly journal: Journal<A>
  /** The request's tools, and those of the toolkit that it does not name itself. */
  private readonly tools: ReadonlyArray<Chat.ToolDefinition>
  /** The names of the tools that the program answers itself. */
  private readonly own: ReadonlySet<string>
  /** `onProgress` is told of one thing at a time: otherwise an old state could be stored over a newer one. */
  private readonly telling = Effect.unsafeMakeSemaphore(1)

  constructor(
    private readonly request: Chat.Request,
    private readonly options: Options<A, R, E2, R2, E3, R3>,
    private readonly ask: (request: Chat.Request) => Stream.Stream<Chat.Event, ProviderError.ProviderError>
  ) {
    const asked = request.tools ?? []
    const named = new Set(asked.map(({ name }) => name))
    const known = new Set(options.toolkit.tools.map(({ name }) => name))
    this.tools = [...asked, ...options.toolkit.tools.filter(({ name }) => !named.has(name))]
    this.own = new Set(asked.map(({ name }) => name).filter((name) => !known.has(name)))
    this.journal = new Journal(request.messages)
  }

  /** The next step, and all that follow. */
  next(): Events<A, ProviderError.ProviderError | E2 | E3, R | R2 | R3> {
    const { messages, step } = this.journal.begin()
    const answer = this.noted(this.answer(step, messages))
    return Channel.flatMap(answer, (reply) =>
      Channel.flatMap(this.noted(this.results(step, reply)), () => {
        const ending = this.ending(reply)
        if (ending === undefined) return this.next()
        const isWaiting = ending._tag === "Waiting"
        const progress = this.journal.progress((call) => isWaiting && this.isOwn(call))
        const outcome: Outcome<A> = { ...ending, reply, ...progress }
        return Channel.write(Chunk.of<Event<A>>({ _tag: "End", outcome }))
      })
    )
  }

  /** The events of an answer, and at their end the whole of it. */
  private answer(
    step: number,
    messages: ReadonlyArray<Chat.Message>
  ): Events<A, ProviderError.ProviderError | E3, R3, Chat.Reply> {
    const { add, reply } = Chat.sum()
    const events = Stream.toChannel(this.ask({ ...this.request, messages, tools: this.tools }))
    const told = Channel.mapOut(
      events,
      Chunk.map((event): Event<A> => {
        add(event)
        return { _tag: "Answer", step, event }
      })
    )
    return Channel.flatMap(told, () => Channel.fromEffect(Effect.suspend(() => this.answered(reply()))))
  }

  private answered(reply: Chat.Reply | undefined): Effect.Effect<Chat.Reply, E3, R3> {
    if (reply === undefined) throw new Error("Toolkit.converse: an answer ended without a Finish event")
    this.journal.answered(reply)
    return Effect.as(this.tell, reply)
  }

  /** Runs the calls of an answer, and gives the results as they come. */
  private results(step: number, reply: Chat.Reply): Events<A, E2 | E3, R | R2 | R3> {
    const results = Stream.fromIterable(this.handled(reply)).pipe(
      Stream.mapEffect(([place, call]) => this.result(step, reply, call, place), {
        concurrency: this.options.concurrency ?? 1,
        unordered: true
      })
    )
    return Stream.toChannel(results)
  }

  /** The journal knows a result before an interruption is heeded. */
  private result(
    step: number,
    reply: Chat.Reply,
    call: Chat.ToolCall,
    place: number
  ): Effect.Effect<Event<A>, E2 | E3, R | R2 | R3> {
    const { approve, toolkit } = this.options
    const onResult = (result: Result.Result<A>): Effect.Effect<void, E3, R3> =>
      Effect.suspend(() => {
        this.journal.resulted(place, result)
        return this.tell
      })
    return Effect.map(Runner.of(toolkit.run, reply, call, { approve, onResult }), (result) => {
      this.journal.resulted(place, result)
      return { _tag: "Result", step, result }
    })
  }

  private ending(reply: Chat.Reply): Ending | undefined {
    const { maxSteps = defaultMaxSteps, stopWhen } = this.options
    const isFiltered = reply.reason === "content-filter"
    const waiting = isFiltered ? [] : reply.toolCalls.filter((call) => this.isOwn(call))
    if (waiting.length > 0) return { _tag: "Waiting", calls: waiting }
    const isOver = isFiltered || (reply.toolCalls.length === 0 && reply.reason !== "pause")
    if (isOver) return { _tag: "Done" }
    const progress = this.journal.progress()
    if (stopWhen?.(progress) === true) return { _tag: "Stopped" }
    return progress.steps.length < maxSteps ? undefined : { _tag: "MaxSteps" }
  }

  /** The calls that get their results here, by their places. Those of an answer that a filter stopped are all refused. */
  private handled({ reason, toolCalls }: Chat.Reply): ReadonlyArray<readonly [place: number, call: Chat.ToolCall]> {
    const all = Array.from(toolCalls.entries())
    return reason === "content-filter" ? all : all.filter(([, call]) => !this.isOwn(call))
  }

  private isOwn({ name }: Chat.ToolCall): boolean {
    return this.own.has(name)
  }

  private readonly tell: Effect.Effect<void, E3, R3> = Effect.suspend(() => {
    const { onProgress } = this.options
    if (onProgress === undefined) return Effect.void
    return Effect.uninterruptible(
      this.telling.withPermits(1)(Effect.suspend(() => onProgress(this.journal.progress())))
    )
  })

  /** The same, but `before` knows the error that it fails with. */
  private noted<E, R, Done>(events: Events<A, E, R, Done>): Events<A, E, R, Done> {
    return Channel.mapError(events, (error) => {
      if (typeof error === "object" && error !== null) failures.set(error, this.journal.progress())
      return error
    })
  }
}
