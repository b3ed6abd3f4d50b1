/** Stores for the memory of accepted keys: one that can be inspected, and some that fail. */
import { KeyValueStore, Error as PlatformError } from "@effect/platform"
import { Effect, Option } from "effect"

type Operation = "get" | "set" | "remove"

export interface Peephole {
  readonly entries: Map<string, string>
  readonly store: KeyValueStore.KeyValueStore
}

/** What happens before each operation: nothing, a failure, a wait. */
export type Trouble = (operation: Operation, key: string) => Effect.Effect<void, PlatformError.PlatformError>

export const make = (trouble: Trouble = () => Effect.void): Peephole => {
  const entries = new Map<string, string>()
  const after = <A>(operation: Operation, key: string, act: () => A) =>
    Effect.zipRight(trouble(operation, key), Effect.sync(act))
  return {
    entries,
    store: KeyValueStore.make({
      get: (key) => after("get", key, () => Option.fromNullable(entries.get(key))),
      getUint8Array: () => Effect.die("text is all that is stored"),
      set: (key, value) => after("set", key, () => entries.set(key, String(value))),
      remove: (key) => after("remove", key, () => entries.delete(key)),
      clear: Effect.die("nobody clears the store"),
      size: Effect.sync(() => entries.size)
    })
  }
}

export const broken = Effect.fail(
  new PlatformError.SystemError({ reason: "PermissionDenied", module: "KeyValueStore", method: "any" })
)
