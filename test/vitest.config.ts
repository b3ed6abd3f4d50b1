import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = (path: string) => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

export default defineConfig({
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
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./test/Tally.ts"],
    // Only what hangs takes so long, however busy the machine is.
    testTimeout: 60_000
  }
})
