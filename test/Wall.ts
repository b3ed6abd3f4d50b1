/**
 * A clock whose time of day can be set back, as by a user or a time server. Its monotonic time, which measures waits,
 * goes on.
 */
import { type Clock, Effect } from "effect"

export interface Wall {
  readonly clock: Clock.Clock
  readonly setBack: (millis: number) => void
}

/** Above the clock in the context. */
export const make: Effect.Effect<Wall> = Effect.map(Effect.clock, (clock) => {
  let back = 0
  return {
    clock: Object.assign(Object.create(clock), {
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() - back,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now - back)
    }),
    setBack: (millis) => {
      back = millis
    }
  }
})
