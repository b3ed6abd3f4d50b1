/** A process of its own that remembers keys in a directory, as its parent tells it to. */
import { KeyValueStore } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as KnownGood from "../../src/KnownGood.js"

export interface Task {
  readonly directory: string
  readonly member: "recall" | "remember"
  readonly key: string
}

const run = ({ directory, key, member }: Task) =>
  Effect.flatMap(KnownGood.KnownGood, (memory) => memory[member]((salt) => `${key}-${salt}`)).pipe(
    Effect.provide(KnownGood.layerKeyValueStore()),
    Effect.provide(Layer.provide(KeyValueStore.layerFileSystem(directory), NodeContext.layer))
  )

process.on("message", (task: Task) => {
  void Effect.runPromise(run(task)).then((found) => process.send?.(found ?? true))
})
process.send?.(true)
