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
}

/** @param shortest The shortest wait there is, in milliseconds: whoever looks this often misses no moment. */
export const make = (clock: Clock.Clock, shortest: number): Watches => {
  const watches = new Set<Watch>()
  let begun = false
  /** Comes a moment after `begun`, and others may come and go in between. */
  let fiber: Fiber.RuntimeFiber<void> | undefined

  const look: Effect.Effect<void> = Effect.suspend(() => {
    const now = millis(clock)
    const forked: Array<Effect.Effect<void>> = []
    let left = shortest
    for (const watch of watches)
      left = Math.min(
        left,
        lookAt(watch, now, (effect) => forked.push(effect))
      )
    const goOn = Effect.zipRight(Effect.interruptible(clock.sleep(Duration.millis(left))), look)
    return forked.length === 0
      ? goOn
      : Effect.zipRight(Effect.forEach(forked, Effect.forkDaemon, { discard: true }), goOn)
  })

  const endIfIdle = (): void => {
    if (watches.size > 0 || fiber === undefined) return
    fiber.unsafeInterruptAsFork(FiberId.none)
    fiber = undefined
    begun = false
  }

  return {
    begin: (watch) => {
      watches.add(watch)
      if (begun) return Effect.void
      begun = true
      // It may be ended by the last one that it tells, and still has to do what that one asked for.
      return Effect.map(Effect.forkDaemon(Effect.uninterruptible(look)), (looking) => {
        fiber = looking
        endIfIdle()
      })
    },
    end: (watch) => {
      watches.delete(watch)
      endIfIdle()
    }
  }
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
