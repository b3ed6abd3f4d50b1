/**
 * A streamed answer that has begun, and the ways to follow it: as a stream, by a callback, and outside of Effect.
 */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Chat from "../Chat.js"
import type * as ProviderError from "../ProviderError.js"

export interface Opened {
  readonly first: Taken
  /** What has come since then, or since the last take. Waits if there is nothing yet. */
  readonly take: Effect.Effect<Taken, ProviderError.ProviderError>
  /** Hands each later event over when it comes, and ends with the last. No fiber is woken before the last. */
  readonly each: (onEvent: (event: Chat.Event) => void) => Effect.Effect<void, ProviderError.ProviderError>
  /** Calls back when there is something to take, even a failure. */
  readonly wait: (then: () => void) => void
  /** What there is to take now; `undefined` if that is a failure, with which `take` then fails. */
  readonly taken: () => Taken | undefined
}

/** Events, and whether they are the last. Never empty unless they are. */
export type Taken = readonly [events: Chunk.Chunk<Chat.Event>, done: boolean]

/** Opens an answer. Its resources are given up with the scope. */
export type Open<R = never> = (scope: Scope.Scope) => Effect.Effect<Opened, ProviderError.ProviderError, R>

/** An answer that came at once. */
export const whole = (events: Chunk.Chunk<Chat.Event>): Opened => {
  const first: Taken = [events, true]
  return { first, take: Effect.succeed(first), taken: () => first, each: () => Effect.void, wait: (then) => then() }
}

type Events<R> = Channel.Channel<
  Chunk.Chunk<Chat.Event>,
  unknown,
  ProviderError.ProviderError,
  unknown,
  unknown,
  unknown,
  R
>

/** Like `Stream.unwrapScoped`, which costs more than the whole request. */
export const toChannel = <R>(open: Open<R>): Events<R> =>
  Channel.flatMap(Scope.make(), (scope) =>
    Channel.ensuringWith(Channel.flatMap(open(scope), written), (exit) => Scope.close(scope, exit))
  )

/** Writes what has been taken, then takes more, until it is all. */
const written = ({ first, take }: Opened): Events<never> => {
  const write = ([events, done]: Taken): Events<never> =>
    done ? Channel.write(events) : Channel.flatMap(Channel.write(events), () => Channel.flatMap(take, write))
  return write(first)
}

/** Hands every event over as it comes; the reply is what they add up to. */
export const listen = <R>(
  open: Open<R>,
  onEvent: (event: Chat.Event) => void
): Effect.Effect<Chat.Reply, ProviderError.ProviderError, R> =>
  Effect.scopedWith((scope) =>
    Effect.flatMap(open(scope), ({ each, first: [events, done] }) => {
      const sum = Chat.sum()
      const tell = (event: Chat.Event): void => {
        sum.add(event)
        onEvent(event)
      }
      for (const event of events) tell(event)
      return Effect.map(done ? Effect.void : each(tell), () => {
        const reply = sum.reply()
        if (reply === undefined) throw new Error("an answer ended without a Finish event, and without a failure")
        return reply
      })
    })
  )

/** How a program runs its effects: `runtime.runPromise`. */
export type Run<R> = <A>(effect: Effect.Effect<A, never, R>) => Promise<A>

/**
 * For use outside of Effect: it throws the `ProviderError` itself. Leaving the loop gives the answer up, and so does
 * ending the runtime or aborting what it runs: at once, even while waiting for an event.
 */
export const iterate = <R>(run: Run<R>, open: Open<R>): AsyncGenerator<Chat.Event, void, undefined> =>
  new Iteration(run, open)

/**
 * The scope of the layer that built a provider. A fiber goes on when its runtime is disposed of; a loop outside of
 * Effect has no fiber of its own that anyone could interrupt, so it ends with the layer.
 */
class Home extends Context.Tag("knowngood/Opened/Home")<Home, Scope.Scope>() {}

/**
 * The layer of a provider. When it closes, its loops end. Not by `Layer.merge`, which builds both at once: interrupted
 * in between, it may hang for ever in Effect 3.22.
 */
export const layer = <I, S, E, R>(
  tag: Context.Tag<I, S>,
  make: Effect.Effect<S, E, R>
): Layer.Layer<I, E, Exclude<R, Scope.Scope>> =>
  Layer.scopedContext(
    Effect.zipWith(make, Effect.scope, (service, scope) => Context.add(Context.make(tag, service), Home, scope))
  )

/** What the fiber of a loop is told to do. */
type Order = "take" | "leave"

type Result = IteratorResult<Chat.Event, void>

interface Asked {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

const finished: Result = { done: true, value: undefined }

/** The prototype of the platform's own iterators, which has what all of them need, `await using` included. */
const asyncIterator: object = Object.getPrototypeOf(
  Object.getPrototypeOf(Object.getPrototypeOf((async function* () {})()))
)

/**
 * The loop, written by hand: a generator's `return` waits behind a `next` that waits for the network. One fiber holds the
 * answer, from the request to the end, so that whatever ends the fiber gives the answer up. It sleeps while events come
 * by callback.
 */
class Iteration<R> implements AsyncGenerator<Chat.Event, void, undefined> {
  private state: "fresh" | "open" | "over" = "fresh"
  /** Events that have come; those from `at` on are not handed out yet. */
  private events: ReadonlyArray<Chat.Event> = []
  private at = 0
  /** They are the last. */
  private areLast = false
  /** Those who wait for an event, in order. */
  private readonly asked: Array<Asked> = []
  private opened: Opened | undefined
  private waiting = false
  /** A failure that nobody has been told of. */
  private failure: { readonly error: unknown } | undefined
  /** Tells the fiber what to do next; set only while the fiber sleeps. */
  private order: ((order: Order) => void) | undefined
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  private hasLeft = false
  /** Settles when everything has been given up. */
  private closed: Promise<void> = Promise.resolve()

  constructor(
    private readonly run: Run<R>,
    private readonly open: Open<R>
  ) {}

  static {
    Object.setPrototypeOf(Iteration.prototype, asyncIterator)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.asked.push({ resolve, reject })
      if (this.state === "fresh") this.begin()
      else this.serve()
    })
  }

  async return(): Promise<Result> {
    this.leave()
    await this.closed
    return finished
  }

  async throw(error: unknown): Promise<Result> {
    this.leave()
    await this.closed
    throw error
  }

  private begin(): void {
    this.state = "open"
    this.closed = this.runWhole().then(
      (ended) => this.end(Either.isLeft(ended) ? { error: ended.left } : undefined),
      (error) => {
        // If the loop was left on purpose, the interruption was on purpose.
        const isMeant = this.hasLeft && Runtime.isFiberFailure(error) && isInterruption(error)
        this.end(isMeant ? undefined : { error })
        if (this.hasLeft && !isMeant) throw error
      }
    )
    this.closed.catch(noted)
  }

  private async runWhole() {
    return await this.run(this.whole)
  }

  private readonly whole = Effect.acquireUseRelease(
    Effect.flatMap(Effect.serviceOption(Home), (home) =>
      Option.isSome(home) ? Scope.fork(home.value, ExecutionStrategy.sequential) : Scope.make()
    ),
    (scope) =>
      Effect.withFiberRuntime<Either.Either<void, ProviderError.ProviderError>, never, R>((fiber) => {
        if (this.hasLeft) return Effect.succeed(Either.void)
        this.fiber = fiber
        const interrupt = Effect.sync(() => {
          if (this.fiber !== undefined) this.fiber.unsafeInterruptAsFork(FiberId.none)
        })
        return Effect.either(
          Effect.zipRight(
            Scope.addFinalizer(scope, interrupt),
            Effect.flatMap(this.open(scope), (opened) => this.follow(opened))
          )
        )
      }),
    (scope, exit) => {
      this.fiber = undefined
      return Scope.close(scope, exit)
    }
  )

  private follow(opened: Opened): Effect.Effect<void, ProviderError.ProviderError> {
    this.opened = opened
    this.take(opened.first)
    return this.obey
  }

  /** Sleeps until it is told what to do. */
  private readonly obey: Effect.Effect<void, ProviderError.ProviderError> = Effect.suspend(() =>
    Effect.flatMap(
      Effect.async<Order>((resume) => {
        this.order = (order) => resume(Effect.succeed(order))
        this.serve()
        return Effect.sync(() => {
          this.order = undefined
        })
      }),
      (order) => {
        this.order = undefined
        return order === "leave"
          ? Effect.void
          : Effect.flatMap(this.opened?.take ?? Effect.never, (taken) => {
              this.take(taken)
              return this.obey
            })
      }
    )
  )

  private take([events, areLast]: Taken): void {
    this.events = Chunk.toReadonlyArray(events)
    this.at = 0
    this.areLast = areLast
  }

  /** Hands out what there is to whoever asked, and asks for more. */
  private serve(): void {
    for (let asked = this.asked[0]; asked !== undefined; asked = this.asked[0]) {
      const event = this.state === "over" ? undefined : this.events[this.at]
      if (event !== undefined) {
        this.at += 1
        asked.resolve({ done: false, value: event })
      } else if (this.state === "over") {
        if (this.failure === undefined) asked.resolve(finished)
        else asked.reject(this.failure.error)
        this.failure = undefined
      } else if (this.areLast) {
        // The loop's caller goes on once everything has been given up.
        this.order?.("leave")
        return
      } else {
        return this.wait()
      }
      this.asked.shift()
    }
  }

  private wait(): void {
    if (this.waiting || this.order === undefined || this.opened === undefined) return
    const { opened } = this
    this.waiting = true
    opened.wait(() => {
      this.waiting = false
      if (this.hasLeft) return
      const taken = opened.taken()
      // If it is a failure, the fiber itself must fail with it.
      if (taken === undefined) return this.order?.("take")
      this.take(taken)
      this.serve()
    })
  }

  private leave(): void {
    const { state } = this
    this.hasLeft = true
    this.end(undefined)
    if (state !== "open") return
    if (this.order !== undefined) this.order("leave")
    else this.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  private end(failure: { readonly error: unknown } | undefined): void {
    if (this.state === "over") return
    this.state = "over"
    this.failure = failure
    this.serve()
  }
}

const isInterruption = (error: Runtime.FiberFailure): boolean =>
  Cause.isInterruptedOnly(error[Runtime.FiberFailureCauseId])

/** The failure is reported to whoever leaves the loop. */
const noted = () => undefined
