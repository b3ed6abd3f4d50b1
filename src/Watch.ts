/**
 * What exchanges wait for at most: the headers, then the bytes and the output. One fiber holds the waits of all of them,
 * and lives as long as there is one: a timeout of its own for each would cost more than the request.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

/** What one exchange waits for at the moment. */
export class Watch {
  private due = never
  private expire: () => void = () => undefined

  constructor(private readonly clock: Clock.Clock) {}

  /** Milliseconds since the epoch. */
  readonly now = (): number => this.clock.unsafeCurrentTimeMillis()

  /** Calls `expire` when the moment that `due` names has come. The moment may move in the meantime. */
  over(due: () => number, expire: () => void): void {
    this.due = due
    this.expire = expire
  }

  /** Nothing is waited for. */
  rest(): void {
    this.due = never
  }

  /** How long until the next moment. What is due is told, and waits for nothing more. */
  look(now: number): number {
    const left = this.due() - now
    if (left > 0) return left
    this.rest()
    this.expire()
    return Number.POSITIVE_INFINITY
  }
}

const never = (): number => Number.POSITIVE_INFINITY

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
    const now = clock.unsafeCurrentTimeMillis()
    const left = Array.from(watches, (watch) => watch.look(now))
    return Effect.zipRight(clock.sleep(Duration.millis(Math.min(shortest, ...left))), look)
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
      return Effect.map(Effect.forkDaemon(Effect.interruptible(look)), (looking) => {
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
