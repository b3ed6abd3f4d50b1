/**
 * How long exchanges wait at most: for the headers, then for bytes and output. One fiber watches all exchanges, and
 * lives as long as there is one: a timeout for each would cost more than the request.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

/** Runs an effect in a fiber of its own. */
export type Fork = (effect: Effect.Effect<void>) => void

/** The moment by which something has to arrive for one exchange. */
export class Watch {
  private due = never
  private expire: (fork: Fork) => void = nothing

  constructor(private readonly clock: Clock.Clock) {}

  /** Milliseconds since an arbitrary moment, by a clock that nobody sets back. */
  readonly now = (): number => millis(this.clock)

  /** Calls `expire` when the moment given by `due` has come. The moment may move in the meantime. */
  arm(due: () => number, expire: (fork: Fork) => void): void {
    this.due = due
    this.expire = expire
  }

  /** Nothing is being awaited. */
  disarm(): void {
    this.due = never
    this.expire = nothing
  }

  /** How long it is until that moment. If it has come, `expire` is called, and nothing is awaited any more. */
  look(now: number, fork: Fork): number {
    const left = this.due() - now
    if (left > 0) return left
    const { expire } = this
    this.disarm()
    expire(fork)
    return Number.POSITIVE_INFINITY
  }
}

/** The longest waits for a body, in milliseconds. */
export interface Waits {
  /** Without a byte. Keep-alive comments are bytes. */
  readonly idle: number
  /** Without output from the model. Keep-alive comments are not output. */
  readonly stall: number
}

/** How long a body has been silent, by two clocks. */
export class Silence {
  private lastByte = 0
  private lastOutput = 0

  constructor(
    private readonly watch: Watch,
    private readonly waits: Waits
  ) {}

  /** Somebody begins to wait. */
  begin(): void {
    this.lastByte = this.lastOutput = this.watch.now()
  }

  /** A byte arrived. */
  byte(): void {
    this.lastByte = this.watch.now()
  }

  /** The byte that arrived last was output. */
  output(): void {
    this.lastOutput = this.lastByte
  }

  /** The moment at which the silence has lasted too long. */
  due(): number {
    return Math.min(this.lastByte + this.waits.idle, this.lastOutput + this.waits.stall)
  }

  /** The clock that runs out first. */
  first(): keyof Waits {
    return this.lastByte + this.waits.idle <= this.lastOutput + this.waits.stall ? "idle" : "stall"
  }
}

const never = (): number => Number.POSITIVE_INFINITY

const nothing = (): void => undefined

const millis = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

export interface Watches {
  readonly begin: (watch: Watch) => Effect.Effect<void>
  readonly end: (watch: Watch) => void
  /** Looks now: a moment has become nearer than the shortest wait. */
  readonly wake: () => void
}

/** @param shortest The shortest wait there is, in milliseconds: looking this often misses no moment. */
export const make = (clock: Clock.Clock, shortest: number): Watches => new Loop(clock, shortest)

class Loop implements Watches {
  private readonly watches = new Set<Watch>()
  private begun = false
  /** Set a moment after `begun`; exchanges may begin and end in between. */
  private fiber: Fiber.RuntimeFiber<void> | undefined
  /** The fiber was interrupted so that another takes its place. */
  private waking = false
  /** `wake` was called before there was a fiber. */
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

  /** Only interruption ends a sleep, and only a fiber can begin another, so the old fiber starts a new one. */
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

  /** Uninterruptible from its first step: if it ended before that, nothing would take its place. */
  private readonly start: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(Effect.uninterruptible(Effect.forkDaemon(this.loop)), (fiber) => {
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

  /** The last exchange that it notifies may end it, but what that exchange asked for must still be done. */
  private readonly loop: Effect.Effect<void> = Effect.onInterrupt(this.look, () =>
    Effect.suspend(() => {
      if (!this.waking) return Effect.void
      this.waking = false
      return this.start
    })
  )
}

/** If one throws, that one ends, and the error surfaces in a fiber of its own; the others are still looked at. */
const lookAt = (watch: Watch, now: number, fork: Fork): number => {
  try {
    return watch.look(now, fork)
  } catch (defect) {
    watch.disarm()
    fork(Effect.die(defect))
    return Number.POSITIVE_INFINITY
  }
}
