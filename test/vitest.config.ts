import { readdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

/** The tests that try more when there is time. */
const longTests = (): Array<string> =>
  readdirSync("test", { recursive: true, encoding: "utf8" })
    .map((name) => `test/${name.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".test.ts") && readFileSync(file, "utf8").includes("/Effort.js"))

const workers = availableParallelism() + 2

export default defineConfig(({ mode }) => ({
  // The examples import the package by its name, as a user does.
  resolve: {
    alias: [
      { find: /^knowngood$/, replacement: src("index.ts") },
      { find: /^knowngood\/testing$/, replacement: src("testing/index.ts") },
      { find: /^knowngood\/explain\/(.*)$/, replacement: src("explain/$1.ts") }
    ]
  },
  test: {
    root: ".",
    env: { EFFORT: mode },
    include: mode === "long" ? longTests() : ["test/**/*.test.ts"],
    reporters: ["default", "./test/Tally.ts"],
    // A process of its own for each file would spend a third of the time on loading Effect.
    pool: "forks",
    isolate: false,
    // Some tests wait for sockets and for other processes, and the processors would be idle without two workers more. All
    // are there from the beginning: one that ends because it is idle may be given a file at that moment, and loses it.
    minWorkers: workers,
    maxWorkers: workers,
    // Tests beside each other wait for the test clock most of the time.
    maxConcurrency: 16,
    // Only what hangs takes so long, however busy the machine is.
    testTimeout: mode === "long" ? 600_000 : 60_000
  }
}))
