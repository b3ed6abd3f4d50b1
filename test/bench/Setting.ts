/** On what, and with what, a run was made. */
import { readFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import { join } from "node:path"
import * as Bundle from "./Bundle.js"

export interface Setting {
  readonly date: string
  readonly machine: string
  readonly node: string
  readonly packages: ReadonlyArray<readonly [name: string, version: string]>
}

const packages = [
  "effect",
  "@effect/platform",
  "@effect/platform-node",
  "undici",
  "eventsource-parser",
  "openai",
  "@anthropic-ai/sdk",
  "ai",
  "@ai-sdk/openai-compatible",
  "@ai-sdk/anthropic",
  "@effect/ai",
  "@effect/ai-openai",
  "@effect/ai-anthropic",
  "esbuild",
  "typescript"
]

export const read = (): Setting => ({
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${process.arch}`,
  node: process.version,
  packages: [["knowngood", versionIn("../..") ?? ""], ...packages.map((name) => [name, versionOf(name)] as const)]
})

const versionOf = (name: string): string =>
  versionIn(`node_modules/${name}`) ?? versionIn(`../../node_modules/${name}`) ?? "not installed"

const versionIn = (folder: string): string | undefined => {
  try {
    return JSON.parse(readFileSync(join(Bundle.here, folder, "package.json"), "utf8")).version
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  }
}
