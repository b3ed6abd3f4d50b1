/** A folder of recorded provider traffic: `manifest.json`, `errors.json`, and the bodies they name. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

export interface Recording {
  readonly id: string
  /** Relative to the folder; absent where the body stands in the entry. */
  readonly file?: string
  readonly body?: string | null
  readonly provider: string
  readonly protocol: "openai-chat" | "anthropic-messages" | "openai-responses"
  readonly kind?: "stream" | "response" | "error"
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly expected?: Expected | null
}

/** What a client must read, in the wire's own words and counts. */
export interface Expected {
  readonly text?: string
  readonly reasoning?: string
  readonly toolCalls?: ReadonlyArray<{
    readonly id: string | null
    readonly name: string
    readonly argumentsJson: string
  }>
  readonly finishReason?: string | null
  readonly usage?: Usage | null
  readonly error?: { readonly message?: string | null } | null
  readonly inlineThink?: { readonly reasoning: string; readonly text?: string; readonly closed?: boolean }
  /** The error's tag and reason, where the folder says them. */
  readonly tag?: string
  readonly reason?: string
}

export interface Usage {
  readonly input: number | null
  readonly output: number | null
  readonly total?: number | null
  readonly cached: number | null
  readonly cacheWrite?: number | null
  readonly reasoning: number | null
}

/** Streams and bodies from the manifest, refused requests from both lists, each once. */
export const load = (folder: string): ReadonlyArray<Recording> => {
  const byId = new Map<string, Recording>()
  for (const recording of list(join(folder, "errors.json"))) byId.set(recording.id, recording)
  for (const recording of list(join(folder, "manifest.json")))
    byId.set(recording.id, { ...byId.get(recording.id), ...recording })
  return [...byId.values()]
}

export const exists = (folder: string): boolean => existsSync(join(folder, "manifest.json"))

export const bytes = (folder: string, recording: Recording): Uint8Array =>
  typeof recording.body === "string"
    ? new TextEncoder().encode(recording.body)
    : new Uint8Array(readFileSync(join(folder, recording.file ?? "")))

const list = (path: string): ReadonlyArray<Recording> =>
  existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as ReadonlyArray<Recording>) : []
