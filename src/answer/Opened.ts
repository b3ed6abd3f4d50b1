/**
 * A streamed answer that has begun: what a provider opens, what middleware passes on, and what a fake or a cache makes
 * from events of its own. `toStream` and `listen` follow it inside of Effect, `Iteration` outside.
 */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Event } from "../chat/Event.js"
import { type Reply, sum } from "../chat/Reply.js"
import type * as ProviderError from "../ProviderError.js"

type Error = ProviderError.ProviderError

/**
 * An answer that has begun: its first events, and a way to wait for the others and take them. It has one consumer.
 *
 * Middleware that changes no event hands on the one it was given. One that does, or that has none, makes one with
 * `fromEvents` or `fromStream`.
 */
export interface Opened extends Source<Error> {
  /** The events that the answer began with. They are not among those that are taken later. */
  readonly first: Batch
}

/** Where events come from, a batch at a time. Neither member is an effect, so no fiber wakes for each network read. */
export interface Source<out E> {
  /**
   * Calls `then` once, as soon as there is something to take, even a failure; at once if there is already. It asks the
   * source for more, so whoever never waits holds the server back. One `then` waits at a time: the latest.
   *
   * Returns what stops the waiting. If `then` throws, that is a defect of the answer.
   */
  readonly wait: (then: () => void) => () => void
  /**
   * Takes what has arrived since the last time. If nothing has, that is an empty batch that is not `done`. A failure
   * comes after everything before it has been taken, and then as often as it is asked for.
   */
  readonly take: () => Batch | Failed<E>
}

/** Events that came together. */
export interface Batch {
  readonly _tag: "Batch"
  /** In the order in which the model wrote them. */
  readonly events: ReadonlyArray<Event>
  /** Whether the answer is complete with these. */
  readonly done: boolean
}

/** The answer broke. */
export interface Failed<out E> {
  readonly _tag: "Failed"
  /** Fails as the answer did: with the error, or with a defect. */
  readonly failure: Effect.Effect<never, E>
}

/**
 * Opens an answer: fails if nothing comes of it, and succeeds with its first events. The resources of the answer are
 * released with the scope.
 */
export type Open<R = never> = Effect.Effect<Opened, Error, R | Scope.Scope>

/** @internal */
export const batch = (events: ReadonlyArray<Event>, done: boolean): Batch => ({ _tag: "Batch", events, done })

/** @internal */
export const failed = <E>(failure: Effect.Effect<never, E>): Failed<E> => ({ _tag: "Failed", failure })

/** Nothing has arrived. @internal */
export const nothing: Batch = batch([], false)

const nothingMore: Batch = batch([], true)

const isEmpty = (more: Batch | Failed<unknown>): boolean =>
  more._tag === "Batch" && more.events.length === 0 && !more.done

// ---------------------------------------------------------------------------------------------------------------------
// Answers of one's own
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A complete answer, from events that are all there: for a cache, or a fake in a test. The last event has to be
 * `Finish`.
 */
export const fromEvents = (events: ReadonlyArray<Event>): Opened => ({
  first: batch(events, true),
  wait: (then) => {
    then()
    return stopNothing
  },
  take: () => nothingMore
})

const stopNothing = (): void => undefined

/**
 * An answer from a stream of events. It opens with the first events of the stream, and fails if the stream fails before
 * them; a later failure is the answer's. The stream is pulled only while somebody waits, and ends with the scope. Its
 * last event has to be `Finish`.
 *
 * @example
 * import { Effect, Stream } from "effect"
 * import { Chat, Opened } from "knowngood"
 *
 * // A fake that answers "Hello, world", a word a second.
 * const words: ReadonlyArray<Chat.Event> = [
 *   { _tag: "TextDelta", text: "Hello, " },
 *   { _tag: "TextDelta", text: "world" },
 *   { _tag: "Finish", reason: "stop", rawReason: "stop", usage: Chat.unknownUsage, model: "fake", id: undefined }
 * ]
 * const open = Opened.fromStream(
 *   Stream.fromIterable(words).pipe(Stream.rechunk(1), Stream.tap(() => Effect.sleep("1 second")))
 * )
 */
export const fromStream = <R = never>(stream: Stream.Stream<Event, Error, R>): Open<R> =>
  Effect.gen(function* () {
    const pull = pulling(yield* Stream.toPull(stream))
    const first = yield* pull
    const pulled = new Pulled(first)
    if (!first.done) yield* Effect.forkScoped(pulled.serve(pull))
    return pulled
  })

type Pull<E, R> = Effect.Effect<Chunk.Chunk<Event>, Option.Option<E>, R>

/** The next events of a stream. */
const pulling = <E, R>(pull: Pull<E, R>): Effect.Effect<Batch, E, R> => {
  const next: Effect.Effect<Batch, E, R> = Effect.matchEffect(pull, {
    onFailure: (error) => (Option.isNone(error) ? Effect.succeed(nothingMore) : Effect.fail(error.value)),
    onSuccess: (events) => (Chunk.isEmpty(events) ? next : Effect.succeed(batch(Chunk.toReadonlyArray(events), false)))
  })
  return next
}

/** A stream, pulled by a fiber that sleeps while nobody waits. */
class Pulled implements Opened {
  /** What was pulled and has not been taken yet. What ends the answer stays here. */
  private ready: Batch | Failed<Error> | undefined
  private waiter: (() => void) | undefined
  /** Wakes the fiber; `undefined` while it pulls, and before it first sleeps. */
  private wake: (() => void) | undefined

  constructor(readonly first: Batch) {
    if (first.done) this.ready = nothingMore
  }

  readonly wait: Opened["wait"] = (then) => {
    this.waiter = then
    if (this.ready !== undefined) this.notify()
    else this.wake?.()
    return () => {
      if (this.waiter === then) this.waiter = undefined
    }
  }

  readonly take: Opened["take"] = () => {
    const { ready = nothing } = this
    if (ready._tag === "Batch") this.ready = ready.done ? nothingMore : undefined
    return ready
  }

  serve<R>(pull: Effect.Effect<Batch, Error, R>): Effect.Effect<void, never, R> {
    const serve: Effect.Effect<void, never, R> = Effect.flatMap(
      Effect.zipRight(
        this.isAsked,
        Effect.catchAllCause(pull, (cause) => Effect.succeed(failed(Effect.failCause(cause))))
      ),
      (more) => {
        this.ready = more
        this.notify()
        return more._tag === "Batch" && !more.done ? serve : Effect.void
      }
    )
    return serve
  }

  private readonly isAsked = Effect.async<void>((resume) => {
    if (this.waiter !== undefined && this.ready === undefined) return resume(Effect.void)
    this.wake = () => {
      this.wake = undefined
      resume(Effect.void)
    }
  })

  private notify(): void {
    const { waiter } = this
    this.waiter = undefined
    try {
      waiter?.()
    } catch (defect) {
      this.ready = failed(Effect.die(defect))
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Scopes as values
// ---------------------------------------------------------------------------------------------------------------------

/** An `Open` that can be given its scope as a value: 28 operations a call less than through the context. */
class Opening<R> extends Effectable.Class<Opened, Error, R | Scope.Scope> {
  constructor(readonly within: (scope: Scope.Scope) => Effect.Effect<Opened, Error, R>) {
    super()
  }

  override commit() {
    return Effect.flatMap(Effect.scope, this.within)
  }
}

/** Opens an answer in the scope that it is given. @internal */
export const opening = <R>(within: (scope: Scope.Scope) => Effect.Effect<Opened, Error, R>): Open<R> =>
  new Opening(within)

/** Opens an answer whose resources are released with this scope. @internal */
export const within = <R>(open: Open<R>, scope: Scope.Scope): Effect.Effect<Opened, Error, Exclude<R, Scope.Scope>> =>
  open instanceof Opening ? open.within(scope) : Scope.extend(open, scope)

// ---------------------------------------------------------------------------------------------------------------------
// Ways to follow
// ---------------------------------------------------------------------------------------------------------------------

/** What comes next. Waits for it if it has not arrived. @internal */
export const next = <E>(source: Source<E>): Effect.Effect<Batch, E> => {
  let stop = stopNothing
  const stopped = Effect.sync(() => stop())
  const arrival = Effect.async<Batch, E>((resume) => {
    stop = source.wait(() => resume(asEffect(source.take())))
    return stopped
  })
  return Effect.suspend(() => {
    const more = source.take()
    return isEmpty(more) ? arrival : asEffect(more)
  })
}

const asEffect = <E>(more: Batch | Failed<E>): Effect.Effect<Batch, E> =>
  more._tag === "Failed" ? more.failure : Effect.succeed(more)

/**
 * The events as a stream, which opens the answer when it is run and releases it when it ends. What arrives between two
 * pulls is one chunk.
 */
export const toStream = <R>(open: Open<R>): Stream.Stream<Event, Error, Exclude<R, Scope.Scope>> =>
  Stream.fromChannel(toChannel(open))

type Events<R> = Channel.Channel<Chunk.Chunk<Event>, unknown, Error, unknown, unknown, unknown, R>

/** As `Stream.unwrapScoped`, which would cost more than the whole request. */
const toChannel = <R>(open: Open<R>): Events<Exclude<R, Scope.Scope>> =>
  Channel.flatMap(Scope.make(), (scope) =>
    Channel.ensuringWith(Channel.flatMap(within(open, scope), written), (exit) => Scope.close(scope, exit))
  )

/** Writes what has been taken, then takes more, until the answer is complete. */
const written = (opened: Opened): Events<never> => {
  const more = next(opened)
  const write = ({ done, events }: Batch): Events<never> => {
    const chunk = Channel.write(Chunk.unsafeFromArray(events))
    return done ? chunk : Channel.flatMap(chunk, () => Channel.flatMap(more, write))
  }
  return write(opened.first)
}

/**
 * Calls `onEvent` with each event as it arrives, and gives the reply that they add up to. No fiber wakes between the
 * first event and the last. What `onEvent` throws is a defect.
 */
export const listen = <R>(
  open: Open<R>,
  onEvent: (event: Event) => void
): Effect.Effect<Reply, Error, Exclude<R, Scope.Scope>> =>
  Effect.scopedWith((scope) =>
    Effect.flatMap(within(open, scope), (opened) => {
      const { add, reply } = sum()
      const onEach = (event: Event): void => {
        add(event)
        onEvent(event)
      }
      return Effect.map(forEach(opened, onEach), () => {
        const complete = reply()
        if (complete === undefined) throw new Error("an answer ended without a Finish event, and without a failure")
        return complete
      })
    })
  )

/** Calls `onEvent` with every event, and ends with the last. */
const forEach = (opened: Opened, onEvent: (event: Event) => void): Effect.Effect<void, Error> => {
  for (const event of opened.first.events) onEvent(event)
  if (opened.first.done) return Effect.void
  return Effect.async<void, Error>((resume) => {
    let stop = stopNothing
    /** Takes all that there is before it waits, so that the stack does not grow with the answer. */
    const go = (): void => {
      try {
        for (let more = opened.take(); !isEmpty(more); more = opened.take()) {
          if (more._tag === "Failed") return resume(more.failure)
          for (const event of more.events) onEvent(event)
          if (more.done) return resume(Effect.void)
        }
        stop = opened.wait(go)
      } catch (defect) {
        // This runs outside of any fiber, so what is thrown is caught here and becomes a defect of this call.
        resume(Effect.die(defect))
      }
    }
    go()
    return Effect.sync(() => stop())
  })
}
