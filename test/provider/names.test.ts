/** Every preset of the package, found by its file, has the name by which a reader knows its provider. */
import { readdirSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { displayNames } from "../../src/explain/Catalog.js"
import * as Knowngood from "../../src/index.js"
import { Gateway } from "../../src/testing/index.js"

const files = readdirSync("src/provider").map((file) => file.replace(/\.ts$/, ""))

/** `OpenAiCompatible` is named by its user. */
const named = files.filter((name) => name !== "OpenAiCompatible")

const isPreset = (value: unknown): value is Pick<typeof Knowngood.OpenAi, "make"> =>
  typeof value === "object" && value !== null && "make" in value && "layerConfig" in value

const presetOf = (name: string) => {
  const preset = Object.entries(Knowngood).find(([key]) => key === name)?.[1]
  if (!isPreset(preset)) throw new Error(`${name} is no preset of the index`)
  return preset
}

describe("a preset", () => {
  for (const name of named) {
    it.effect(`${name} has a display name`, () =>
      Effect.gen(function* () {
        const { id } = yield* presetOf(name).make({ model: "m" })
        expect(displayNames.get(id), `no row for "${id}" in explain/Catalog's displayNames`).toBeDefined()
      }).pipe(Effect.provide(Gateway.layer([])))
    )
  }

  it.effect("has no name too many", () =>
    Effect.gen(function* () {
      const ids = yield* Effect.forEach(named, (name) =>
        Effect.map(presetOf(name).make({ model: "m" }), ({ id }) => id)
      )
      expect([...displayNames.keys()].sort()).toEqual([...ids].sort())
    }).pipe(Effect.provide(Gateway.layer([])))
  )
})
