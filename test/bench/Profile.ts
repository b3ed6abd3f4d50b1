/**
 * Where the CPU time goes, by whose code it was spent in. The workers run bundles, in which esbuild names the file that
 * each piece comes from.
 */
import { readFileSync } from "node:fs"
import { type Profiler, Session } from "node:inspector"

/** Starts to sample. The answer stops, and tells the share of each owner; time without work is not counted. */
export const start = async (): Promise<() => Promise<{ readonly [owner: string]: number }>> => {
  const session = new Session()
  session.connect()
  session.post("Profiler.enable")
  session.post("Profiler.setSamplingInterval", { interval: 200 })
  await new Promise((resolve) => session.post("Profiler.start", resolve))
  return () =>
    new Promise((resolve, reject) =>
      session.post("Profiler.stop", (error, { profile }) => {
        session.disconnect()
        if (error === null) resolve(shares(profile))
        else reject(error)
      })
    )
}

const shares = ({ nodes }: Profiler.Profile): { readonly [owner: string]: number } => {
  const hits = new Map<string, number>()
  let all = 0
  for (const { callFrame, hitCount = 0 } of nodes) {
    if (callFrame.functionName === "(idle)") continue
    const owner = ownerOf(callFrame)
    hits.set(owner, (hits.get(owner) ?? 0) + hitCount)
    all += hitCount
  }
  return Object.fromEntries(Array.from(hits, ([owner, count]) => [owner, count / all]))
}

const ownerOf = ({ functionName, lineNumber, url }: Profiler.ProfileNode["callFrame"]): string => {
  if (functionName === "(garbage collector)") return "garbage collector"
  if (url.startsWith("node:internal/deps/undici")) return "fetch"
  if (url.startsWith("node:")) return "node"
  if (url.startsWith("wasm:")) return "HTTP parser"
  // Functions of the engine and of the system have no file.
  if (url === "") return functionName === "parse" ? "JSON.parse" : "native"
  return packageOf(fileAt(new URL(url), lineNumber))
}

const packageOf = (file: string): string => {
  const found = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)
  return found?.[1] ?? (file.includes("/src/") ? "knowngood" : "the program")
}

const files = new Map<string, ReadonlyArray<string>>()

/** The file that a line of a bundle comes from. */
const fileAt = (bundle: URL, line: number): string => {
  const known = files.get(bundle.href) ?? origins(readFileSync(bundle, "utf8"))
  files.set(bundle.href, known)
  return known[line] ?? ""
}

/** For each line of a bundle, the last `// path` above it. */
const origins = (text: string): ReadonlyArray<string> => {
  let file = ""
  return text.split("\n").map((line) => {
    const found = /^\s*\/\/ (\S+\.\w+)$/.exec(line)
    if (found?.[1] !== undefined) file = found[1]
    return file
  })
}
