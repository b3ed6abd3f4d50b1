/** The house: which file may import which, and what no file may do. Read from the sources as text. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path/posix"
import { describe, expect, it } from "@effect/vitest"

/**
 * The floors of the house, top first. A file belongs to the floor that names its folder or, if it has none, itself. It
 * imports, types included, from its own floor and from those below.
 */
const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["testing"],
  ["index"],
  ["provider"],
  ["Provider", "Preset", "Service", "Fallback", "Toolkit", "toolkit"],
  ["Transport", "transport", "Tool", "Output", "output", "Explain", "explain"],
  ["answer"],
  ["request"],
  ["Protocol", "protocol"],
  ["refusal"],
  ["Credential", "credential", "KnownGood", "RetryPolicy", "RetryObserver"],
  ["Chat", "chat", "ChatSchema"],
  ["ProviderError", "BaseUrl", "Json", "JsonValue", "Joiner"]
]

/** What reaches nothing outside `src`, neither itself nor through what it imports: it runs without Effect. */
const pure: ReadonlyArray<string> = [
  ...["protocol/", "chat/", "explain/", "Protocol", "Json", "JsonValue", "Joiner", "BaseUrl"],
  ...["answer/Sse", "answer/WireReader", "refusal/Fault", "refusal/Refusal", "refusal/Rules", "request/History"],
  ...["credential/Demotion", "credential/Doubt", "credential/Window"]
]

interface Import {
  readonly from: string
  readonly typeOnly: boolean
}

interface Source {
  /** Under `src`, without `.ts`. */
  readonly name: string
  readonly text: string
  /** The text without its comments. */
  readonly code: string
  readonly imports: ReadonlyArray<Import>
}

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1")

/** `import … from`, `export … from`, `import "…"` and `import("…")`. */
const importsOf = (code: string): ReadonlyArray<Import> => [
  ...Array.from(
    code.matchAll(/^(import|export)\s+(type\s)?[^"'`;]*?\bfrom\s+"([^"]+)"/gm),
    ([, , type, from = ""]) => ({
      from,
      typeOnly: type !== undefined
    })
  ),
  ...Array.from(code.matchAll(/\bimport\s*\(?\s*"([^"]+)"/g), ([, from = ""]) => ({ from, typeOnly: false }))
]

const sources: ReadonlyArray<Source> = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(join("src", path), "utf8")
    const code = withoutComments(text)
    return { name: path.replace(/\.ts$/, ""), text, code, imports: importsOf(code) }
  })

/** The file of `src` that a relative import names. */
const target = (source: Source, { from }: Import): string => join(dirname(source.name), from.replace(/\.js$/, ""))

const relative = (source: Source): ReadonlyArray<Import> => source.imports.filter(({ from }) => from.startsWith("."))

/** What a file imports: files of `src` by their names, everything else as it stands there. */
type Graph = ReadonlyMap<string, ReadonlyArray<string>>

const graph = (sources: ReadonlyArray<Source>, which: (imported: Import) => boolean): Graph =>
  new Map(
    sources.map((source) => [
      source.name,
      source.imports
        .filter(which)
        .map((imported) => (imported.from.startsWith(".") ? target(source, imported) : imported.from))
    ])
  )

/** The imports that remain when the program runs. */
const atRuntime = (sources: ReadonlyArray<Source>): Graph => graph(sources, ({ typeOnly }) => !typeOnly)

/** The first chain of imports from a file to something that `isEnd`. */
const chain = (graph: Graph, from: string, isEnd: (name: string) => boolean): ReadonlyArray<string> | undefined => {
  const ways = [[from]]
  const seen = new Set<string>()
  for (const way of ways) {
    for (const next of graph.get(way.at(-1) ?? "") ?? []) {
      if (isEnd(next)) return [...way, next]
      if (!seen.has(next)) ways.push([...way, next])
      seen.add(next)
    }
  }
  return undefined
}

const floorOf = (name: string): number => floors.findIndex((names) => names.includes(name.split("/")[0] ?? ""))

describe("the floors", () => {
  it("name every file of src, and nothing that does not exist", () => {
    expect(sources.map(({ name }) => name).filter((name) => floorOf(name) === -1)).toEqual([])
    const there = new Set(sources.map(({ name }) => name.split("/")[0]))
    expect(floors.flat().filter((name) => !there.has(name))).toEqual([])
    expect(new Set(floors.flat()).size).toBe(floors.flat().length)
  })

  it("no file imports from a floor above its own", () => {
    const upwards = sources.flatMap((source) =>
      relative(source)
        .map((imported) => target(source, imported))
        .filter((name) => floorOf(name) < floorOf(source.name))
        .map((name) => `${source.name} > ${name}`)
    )
    expect(upwards).toEqual([])
  })

  it("no file imports itself through others, not even types", () => {
    const all = graph(sources, () => true)
    const circles = sources.flatMap(({ name }) => chain(all, name, (next) => next === name)?.join(" > ") ?? [])
    expect(circles).toEqual([])
  })

  it("are read from every form of import", () => {
    const code = [
      'import * as A from "./A.js"',
      'import type { B } from "./B.js"',
      'import {\n  C\n} from "./C.js"',
      'export * as D from "./D.js"',
      'import "./E.js"',
      'const f = await import("./F.js")'
    ].join("\n")
    expect(importsOf(code).map(({ from }) => from)).toEqual([
      "./A.js",
      "./B.js",
      "./C.js",
      "./D.js",
      "./E.js",
      "./F.js"
    ])
    expect(importsOf(code).map(({ typeOnly }) => typeOnly)).toEqual([false, true, false, false, false, false])
    expect(sources.flatMap(relative).length).toBeGreaterThan(50)
  })
})

describe("no file of src", () => {
  const none = (pattern: RegExp, except: ReadonlyArray<string> = []) => {
    const found = sources.filter((source) => !except.includes(source.name) && pattern.test(source.code))
    expect(found.map((source) => source.name)).toEqual([])
  }

  for (const [title, pattern] of [
    ["reads the machine's clock: that is Clock's", /\bDate\.now|new Date\(\)|\bperformance\.now/],
    ["waits by itself: that is Clock's and Schedule's", /\bset(Timeout|Interval|Immediate)\b/],
    ["throws dice: that is Random's", /\bMath\.random|\bcrypto\.(getRandomValues|randomUUID)/],
    ["runs an effect: that is the program's", /\brun(Promise|Sync|Fork|Callback)\b/],
    ["has an any", /\bas any\b|: any\b|<any>|\bany\[\]/],
    ["reads the environment: that is Config's", /\bprocess\./],
    ["logs to the console", /\bconsole\./],
    ["leaves work for later", /\b(TODO|FIXME|XXX)\b/],
    ["imports a module of Node's alone", /from "node:|\brequire\(/],
    ["imports the whole of effect", /from "(effect|@effect\/platform)"/]
  ] as const) {
    it(title, () => none(pattern))
  }

  it("leaves work for later in a comment", () => {
    expect(sources.filter(({ text }) => /\b(TODO|FIXME|XXX)\b/.test(text)).map(({ name }) => name)).toEqual([])
  })

  it("opens a secret, but Key", () => {
    none(/\bRedacted\.value\b|\bunsafe(Get)?Redacted/, ["credential/Key"])
  })

  it("has a name that is not about its users", () => {
    const vague = /(^|\/)(utils?|shared|commons?|helpers?|internals?|misc|lib)(\/|$)/i
    expect(sources.map((source) => source.name).filter((name) => vague.test(name))).toEqual([])
  })
})

describe("the pure core", () => {
  const importers = (folder: string) => sources.filter((source) => source.name.startsWith(folder))

  it("reaches nothing outside src, through any chain of imports", () => {
    const belongs = (name: string) => (part: string) => name === part || (part.endsWith("/") && name.startsWith(part))
    for (const part of pure) expect(sources.filter(({ name }) => belongs(name)(part)).length, part).toBeGreaterThan(0)
    const imports = atRuntime(sources)
    const isOutside = (name: string) => !imports.has(name)
    const ways = sources
      .filter(({ name }) => pure.some(belongs(name)))
      .flatMap(({ name }) => chain(imports, name, isOutside)?.join(" > ") ?? [])
    expect(ways).toEqual([])
  })

  it("catalogs import only types, so that one costs no more than its words", () => {
    expect(importers("explain/").length).toBeGreaterThan(0)
    for (const source of importers("explain/")) {
      expect(
        source.imports.filter(({ typeOnly }) => !typeOnly),
        source.name
      ).toEqual([])
    }
  })

  it("the scripted gateway imports nothing from the rest, so that it cannot share a mistake with it", () => {
    const all = graph(sources, () => true)
    const isOfTheRest = (name: string) => all.has(name) && !name.startsWith("testing/")
    expect(all.get("testing/Gateway")).toContain("testing/Reply")
    expect(chain(all, "testing/Gateway", isOfTheRest)).toBeUndefined()
    // What stands beside it may: a provider without HTTP is a provider.
    expect(chain(all, "testing/TestProvider", isOfTheRest)).toBeDefined()
  })
})
