/**
 * What work costs, measured so that a busy machine does not matter: CPU time, which excludes other programs, and only
 * as a ratio of two measurements in one run; and bytes.
 */
import { Effect } from "effect"

/** Microseconds of this process. */
const used = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

/** Less than this is noise: a timer, a collection of garbage. */
const noise = 2000

const least = 5

/**
 * How many times as long the larger piece of work takes; of each, the fastest of five runs counts. For four times the
 * size, that is 4 if the time is linear and 16 if it is quadratic.
 */
export const growth = (small: () => unknown, large: () => unknown): number =>
  Effect.runSync(growthOf(Effect.sync(small), Effect.sync(large)))

/** The same for effects. */
export const growthOf = <E, R>(
  small: Effect.Effect<unknown, E, R>,
  large: Effect.Effect<unknown, E, R>
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let [little, much] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let round = 0; round < least; round++) {
      little = Math.min(little, yield* timeOf(small))
      much = Math.min(much, yield* timeOf(large))
    }
    return much / Math.max(noise, little)
  })

const timeOf = <E, R>(work: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const before = used()
    return Effect.map(work, () => used() - before)
  })

/** The sizes of the byte arrays that are made while this runs, oldest first. */
export const allocated = (run: () => unknown): ReadonlyArray<number> => {
  const sizes: Array<number> = []
  const original = globalThis.Uint8Array
  globalThis.Uint8Array = new Proxy(original, {
    construct: (target, args, self) => {
      if (typeof args[0] === "number") sizes.push(args[0])
      return Reflect.construct(target, args, self === globalThis.Uint8Array ? target : self)
    }
  })
  try {
    run()
  } finally {
    globalThis.Uint8Array = original
  }
  return sizes
}
