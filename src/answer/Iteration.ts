/**
 * A streamed answer as an async iterator, for programs without Effect.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { Event } from "../chat/Event.js"
import type * as ProviderError from "../ProviderError.js"
import * as Opened from "./Opened.js"

/** How a program runs its effects: `runtime.runPromise`. */
export type RunPromise<R> = <A>(effect: Effect.Effect<A, never, R>) => Promise<A>

/**
 * For use outside of Effect: it throws the `ProviderError` itself. Leaving the loop gives the answer up, and so does
 * ending the runtime or aborting what it runs: at once, even while waiting for an event.
 */
export const make = <R>(run: RunPromise<R>, open: Opened.Open<R>): AsyncGenerator<Event, void, undefined> =>
  new Iteration(run, open)

/**
 * The scope of the layer that built a provider. A fiber goes on when its runtime is disposed of; a loop outside of
 * Effect has no fiber of its own that anyone could interrupt, so it ends with the layer.
 */
class Home extends Context.Tag("knowngood/Iteration/Home")<Home, Scope.Scope>() {}

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

/** A scope that closes with the provider's layer at the latest. */
const scopeAtHome = Effect.flatMap(Effect.serviceOption(Home), (home) =>
  Option.isSome(home) ? Scope.fork(home.value, ExecutionStrategy.sequential) : Scope.make()
)

type Result = IteratorResult<Event, void>

const finished: Result = { done: true, value: undefined }

/** One call of `next` that has not been answered. */
interface Asked {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

interface Failure {
  readonly error: unknown
}

/** How far the loop is. */
type State =
  /** Nobody has asked for an event. */
  | { readonly _tag: "Fresh" }
  /** The fiber makes the request. */
  | { readonly _tag: "Opening" }
  | Following
  /** Every event has been handed out, or the answer broke. The fiber releases what it holds. */
  | { readonly _tag: "Closing" }
  /** Nothing more comes. The failure is reported once. */
  | { readonly _tag: "Over"; readonly failure?: Failure | undefined }

/** Events come by callback, and the fiber sleeps. */
interface Following {
  readonly _tag: "Following"
  readonly opened: Opened.Opened
  /** What was taken last. Its events from `at` on are not handed out yet. */
  batch: Opened.Batch
  at: number
  /** Stops the waiting; `undefined` while nothing is awaited. */
  stop: (() => void) | undefined
  /** Wakes the fiber, which ends as this effect does. */
  readonly wake: (end: Effect.Effect<void, ProviderError.ProviderError>) => void
}

/** The prototype of the platform's own iterators, which has what all of them need, `await using` included. */
const asyncIterator: object = Object.getPrototypeOf(
  Object.getPrototypeOf(Object.getPrototypeOf((async function* () {})()))
)

/**
 * The loop, written by hand: a generator's `return` waits behind a `next` that waits for the network. One fiber holds
 * the answer, from the request to the end, so that whatever ends the fiber gives the answer up.
 */
class Iteration<R> implements AsyncGenerator<Event, void, undefined> {
  private state: State = { _tag: "Fresh" }
  /** Those who wait for an event, in order. */
  private readonly asked: Array<Asked> = []
  /** While it can be interrupted. */
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Settles when everything has been given up. */
  private closed: Promise<void> = Promise.resolve()

  constructor(
    private readonly run: RunPromise<R>,
    private readonly open: Opened.Open<R>
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
      if (this.state._tag === "Fresh") this.begin()
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
    this.state = { _tag: "Opening" }
    this.closed = this.runLife().then(
      (failure) => this.end(failure),
      (error) => {
        const hasLeft = this.state._tag === "Over"
        this.end({ error })
        // If the loop was left on purpose, the interruption was on purpose.
        if (hasLeft && !(Runtime.isFiberFailure(error) && isInterruption(error))) throw error
      }
    )
    this.closed.catch(noted)
  }

  /** What `run` throws at once is a rejection, too. */
  private async runLife() {
    return await this.run(this.life)
  }

  private readonly life = Effect.acquireUseRelease(
    scopeAtHome,
    (scope) => this.live(scope),
    (scope, exit) => {
      this.fiber = undefined
      return Scope.close(scope, exit)
    }
  )

  private live(scope: Scope.Scope): Effect.Effect<Failure | undefined, never, R> {
    return Effect.withFiberRuntime((fiber) => {
      if (this.state._tag === "Over") return Effect.succeed(undefined)
      this.fiber = fiber
      const opened = Effect.zipRight(Scope.addFinalizer(scope, this.interrupt), Opened.within(this.open, scope))
      return Effect.match(
        Effect.flatMap(opened, (opened) => this.follow(opened)),
        {
          onFailure: (error): Failure => ({ error }),
          onSuccess: () => undefined
        }
      )
    })
  }

  private readonly interrupt = Effect.sync(() => this.fiber?.unsafeInterruptAsFork(FiberId.none))

  /** Sleeps until there is nothing more to hand out. */
  private follow(opened: Opened.Opened): Effect.Effect<void, ProviderError.ProviderError> {
    return Effect.async<void, ProviderError.ProviderError>((wake) => {
      if (this.state._tag === "Over") return wake(Effect.void)
      const following: Following = { _tag: "Following", opened, batch: opened.first, at: 0, stop: undefined, wake }
      this.state = following
      this.serve()
      return Effect.sync(() => following.stop?.())
    })
  }

  /** Hands out what there is to whoever asked, and waits for more. */
  private serve(): void {
    for (let asked = this.asked[0]; asked !== undefined; asked = this.asked[0]) {
      const { state } = this
      if (state._tag === "Following") {
        const event = state.batch.events[state.at]
        if (event === undefined) {
          if (this.takeMore(state)) continue
          return
        }
        state.at += 1
        asked.resolve({ done: false, value: event })
      } else if (state._tag === "Over") {
        if (state.failure === undefined) asked.resolve(finished)
        else asked.reject(state.failure.error)
        this.state = { _tag: "Over" }
      } else {
        // Whoever asks at the end is answered once everything has been given up.
        return
      }
      this.asked.shift()
    }
  }

  /** Whether there are more events now. If not, this waits for more, or wakes the fiber because there are none. */
  private takeMore(state: Following): boolean {
    if (state.stop !== undefined) return false
    if (state.batch.done) return this.close(state, Effect.void)
    const more = state.opened.take()
    if (more._tag === "Failed") return this.close(state, more.failure)
    state.batch = more
    state.at = 0
    if (more.done || more.events.length > 0) return true
    this.wait(state)
    return false
  }

  private wait(state: Following): void {
    let isCalled = false
    const stop = state.opened.wait(() => {
      isCalled = true
      state.stop = undefined
      if (this.state === state) this.serve()
    })
    if (!isCalled) state.stop = stop
  }

  private close(state: Following, end: Effect.Effect<void, ProviderError.ProviderError>): false {
    this.state = { _tag: "Closing" }
    state.wake(end)
    return false
  }

  private leave(): void {
    const { state } = this
    this.end(undefined)
    if (state._tag === "Following") {
      state.stop?.()
      state.wake(Effect.void)
    } else this.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  private end(failure: Failure | undefined): void {
    if (this.state._tag === "Over") return
    this.state = { _tag: "Over", failure }
    this.serve()
  }
}

const isInterruption = (error: Runtime.FiberFailure): boolean =>
  Cause.isInterruptedOnly(error[Runtime.FiberFailureCauseId])

/** The failure is reported to whoever leaves the loop. */
const noted = () => undefined
