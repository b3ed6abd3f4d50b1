/**
 * What exchanges wait for at most: the headers, then the bytes and the output. One fiber holds the waits of all of them,
 * and lives as long as there is one: a timeout of its own for each would cost more than the request.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

/** Runs an effect in a fiber of its own. */
export type Fork = (effect: Effect.Effect<void>) => void

/** What one exchange waits for at the moment. */
export class Watch {
  private due = never
  private expire: (fork: Fork) => void = nothing

  constructor(private readonly clock: Clock.Clock) {}

  /** Milliseconds since a moment of its own, by a clock that nobody sets back. */
  readonly now = (): number => millis(this.clock)

  /** Calls `expire` when the moment that `due` names has come. The moment may move in the meantime. */
  over(due: () => number, expire: (fork: Fork) => void): void {
    this.due = due
    this.expire = expire
  }

  /** Nothing is waited for. */
  rest(): void {
    this.due = never
    this.expire = nothing
  }

  /** How long until the next moment. What is due is told, and waits for nothing more. */
  look(now: number, fork: Fork): number {
    const left = this.due() - now
    if (left > 0) return left
    const { expire } = this
    this.rest()
    expire(fork)
    return Number.POSITIVE_INFINITY
  }
}

const never = (): number => Number.POSITIVE_INFINITY

const nothing = (): void => undefined

const millis = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

export interface Watches {
  readonly begin: (watch: Watch) => Effect.Effect<void>
  readonly end: (watch: Watch) => void
  /** Looks now: a moment has come nearer than the shortest wait. */
  readonly wake: () => void
}

/** @param shortest The shortest wait there is, in milliseconds: whoever looks this often misses no moment. */
export const make = (clock: Clock.Clock, shortest: number): Watches => new Looking(clock, shortest)

class Looking implements Watches {
  private readonly watches = new Set<Watch>()
  private begun = false
  /** Comes a moment after `begun`, and others may come and go in between. */
  private fiber: Fiber.RuntimeFiber<void> | undefined
  /** The fiber was interrupted, so that another looks in its place. */
  private waking = false
  /** Somebody wanted to wake it before it was there. */
  private missed = false

  constructor(
    private readonly clock: Clock.Clock,
    private readonly shortest: number
  ) {}

  readonly begin = (watch: Watch): Effect.Effect<void> => {
    this.watches.add(watch)
    if (this.begun) return Effect.void
    this.begun = true
    return this.start
  }

  readonly end = (watch: Watch): void => {
    this.watches.delete(watch)
    this.endIfIdle()
  }

  /** A sleep can be ended by interruption alone, and only a fiber can begin another: so the old one leaves a new one. */
  readonly wake = (): void => {
    this.missed = this.fiber === undefined && this.begun
    if (this.fiber === undefined) return
    this.waking = true
    this.interrupt(this.fiber)
  }

  private endIfIdle(): void {
    if (this.watches.size > 0 || this.fiber === undefined) return
    this.begun = false
    this.interrupt(this.fiber)
  }

  private interrupt(fiber: Fiber.RuntimeFiber<void>): void {
    this.fiber = undefined
    fiber.unsafeInterruptAsFork(FiberId.none)
  }

  /** Uninterruptible from its first step: one that ends before it would leave nobody in its place. */
  private readonly start: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(Effect.uninterruptible(Effect.forkDaemon(this.looks)), (fiber) => {
      this.fiber = fiber
      this.endIfIdle()
      if (this.missed) this.wake()
    })
  )

  private readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const now = millis(this.clock)
    const forked: Array<Effect.Effect<void>> = []
    let left = this.shortest
    for (const watch of this.watches)
      left = Math.min(
        left,
        lookAt(watch, now, (effect) => forked.push(effect))
      )
    const goOn = Effect.zipRight(Effect.interruptible(this.clock.sleep(Duration.millis(left))), this.look)
    return forked.length === 0
      ? goOn
      : Effect.zipRight(Effect.forEach(forked, Effect.forkDaemon, { discard: true }), goOn)
  })

  /** It may be ended by the last one that it tells, and still has to do what that one asked for. */
  private readonly looks: Effect.Effect<void> = Effect.onInterrupt(this.look, () =>
    Effect.suspend(() => {
      if (!this.waking) return Effect.void
      this.waking = false
      return this.start
    })
  )
}

/** One that throws ends by it, in a fiber where it can be seen, and the others are looked at all the same. */
const lookAt = (watch: Watch, now: number, fork: Fork): number => {
  try {
    return watch.look(now, fork)
  } catch (defect) {
    watch.rest()
    fork(Effect.die(defect))
    return Number.POSITIVE_INFINITY
  }
}
