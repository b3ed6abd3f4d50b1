/**
 * What an exchange waits for at most, held by one fiber: first the headers, then the bytes and the output. A timeout of
 * its own for each would cost more than the request.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export class Watch {
  private due = never
  private expire: () => void = () => undefined

  constructor(
    readonly clock: Clock.Clock,
    /** The shortest of the waits, in milliseconds: so often the watch looks up at least, so that it misses no change. */
    private readonly shortest: number
  ) {}

  /** Milliseconds since the epoch. */
  readonly now = (): number => this.clock.unsafeCurrentTimeMillis()

  /** Calls `expire`, once, when the moment that `due` names has come. The moment may move in the meantime. */
  over(due: () => number, expire: () => void): void {
    this.due = due
    this.expire = expire
  }

  /** Nothing is waited for. */
  rest(): void {
    this.due = never
  }

  readonly run: Effect.Effect<void> = Effect.suspend(() => {
    const wait = this.due() - this.now()
    if (wait <= 0) return Effect.sync(() => this.expire())
    return Effect.zipRight(this.clock.sleep(Duration.millis(Math.min(wait, this.shortest))), this.run)
  })
}

const never = (): number => Number.POSITIVE_INFINITY
