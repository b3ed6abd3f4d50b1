/**
 * What a run may leave behind: fibers, sockets, memory.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Effect, Supervisor } from "effect"

/**
 * Runs it, and says beside its result how many of the fibers that it started are still there two seconds later: behind a
 * whole answer the end of its body is waited for, but no longer than one.
 */
export const countFibers = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, number], E, R> =>
  Effect.gen(function* () {
    const supervisor = yield* Supervisor.track
    const value = yield* Effect.supervised(self, supervisor)
    const left = Effect.map(supervisor.value, ({ length }) => length)
    return [value, yield* settled(left)] as const
  })

/** Checks again for two seconds, until there is none. */
const settled = (count: Effect.Effect<number>, rounds = 40): Effect.Effect<number> =>
  Effect.flatMap(count, (found) =>
    found === 0 || rounds === 0
      ? Effect.succeed(found)
      : Effect.zipRight(Effect.sleep("50 millis"), settled(count, rounds - 1))
  )

const openSockets = Effect.sync(
  () => process.getActiveResourcesInfo().filter((resource) => /^TCPSocketWrap$|^TCPWrap$/.test(resource)).length
)

/** Sockets of this process that are still open two seconds after nobody should need them. */
export const sockets: Effect.Effect<number> = Effect.suspend(() => settled(openSockets))

/** Runs it, and returns its result together with what was thrown where nobody could catch it. */
export const unhandled = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<string>], E, R> =>
  Effect.suspend(() => {
    const reasons: Array<string> = []
    const note = (reason: unknown) => {
      reasons.push(String(reason))
    }
    process.on("unhandledRejection", note)
    process.on("uncaughtException", note)
    return Effect.ensuring(
      Effect.map(self, (value) => [value, reasons] as const),
      Effect.sync(() => {
        process.off("unhandledRejection", note)
        process.off("uncaughtException", note)
      })
    )
  })

const collectGarbage = Effect.sync(() => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
})

/** Bytes in use on the heap, after everything unreachable is collected. */
export const heap: Effect.Effect<number> = Effect.gen(function* () {
  for (let round = 0; round < 6; round++) {
    yield* collectGarbage
    yield* Effect.sleep("50 millis")
  }
  return process.memoryUsage().heapUsed
})
