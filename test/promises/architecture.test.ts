/** The house: which file may import which, and what no file may do. Read from the sources as text. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path/posix"
import { describe, expect, it } from "@effect/vitest"

/** A file imports only files of a lower rank, types included. Every file of `src` stands here. */
const ranks: { readonly [file: string]: number } = {
  "chat/Message": -3,

  Joiner: -2,
  "chat/Event": -2,
  "chat/Request": -2,

  "chat/Reply": -1,

  "credential/Doubt": 0,
  "answer/KeylessResponse": 0,
  ProviderError: 0,
  "answer/Watch": 0,

  BaseUrl: 1,
  "answer/Body": 1,
  Chat: 1,
  "refusal/Fault": 1,
  Json: 1,
  KnownGood: 1,
  "credential/Redaction": 1,
  "answer/Sse": 1,
  "credential/Window": 1,
  "testing/Answer": 1,

  "credential/Gate": 2,
  "request/History": 2,
  "credential/Key": 2,
  "output/Mismatch": 2,
  "answer/Opened": 2,
  Protocol: 2,
  "refusal/Refusal": 2,
  RetryObserver: 2,
  RetryPolicy: 2,
  "refusal/Rules": 2,
  "protocol/ThinkTags": 2,
  "protocol/ToolCalls": 2,
  "testing/Gateway": 2,

  "transport/CallLog": 3,
  "refusal/Classify": 3,
  Credential: 3,
  "answer/WireReader": 3,
  Output: 3,
  "protocol/OpenAiChatRequest": 3,
  "protocol/AnthropicMessagesRequest": 3,
  "testing/index": 3,
  "explain/Catalog": 3,

  "answer/ResponseBody": 4,
  "transport/Call": 4,
  "protocol/OpenAiChat": 4,
  "protocol/AnthropicMessages": 4,
  Service: 4,
  Tool: 4,
  "explain/en": 4,
  "explain/zh": 4,

  "answer/Answer": 5,
  "transport/Exchange": 5,
  "request/Endpoint": 5,
  Explain: 5,
  Fallback: 5,

  "transport/TransformClient": 6,

  Transport: 7,

  Provider: 8,

  "provider/Anthropic": 9,
  "provider/DeepSeek": 9,
  "provider/MiMo": 9,
  "provider/MiniMax": 9,
  "provider/OpenAi": 9,
  "provider/OpenAiCompatible": 9,

  index: 10
}

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

describe("the ranks", () => {
  it("name every file of src, and no file that is not there", () => {
    expect(sources.map((source) => source.name).sort()).toEqual(Object.keys(ranks).sort())
  })

  for (const source of sources) {
    it(`${source.name} imports only files below it`, () => {
      const rank = ranks[source.name] ?? -1
      const notBelow = relative(source)
        .map((imported) => target(source, imported))
        .filter((name) => !((ranks[name] ?? Number.POSITIVE_INFINITY) < rank))
      expect(notBelow).toEqual([])
    })
  }

  it("are read from the imports: each form of them is seen", () => {
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

  it("is called for what it is to others", () => {
    const vague = /(^|\/)(utils?|shared|commons?|helpers?|internals?|misc|lib)(\/|$)/i
    expect(sources.map((source) => source.name).filter((name) => vague.test(name))).toEqual([])
  })
})

describe("the pure core", () => {
  const importers = (folder: string) => sources.filter((source) => source.name.startsWith(folder))

  it("protocols know nothing of effect", () => {
    expect(importers("protocol/").length).toBeGreaterThan(0)
    for (const source of importers("protocol/")) {
      expect(
        source.imports.filter(({ from }) => /^(effect|@effect)(\/|$)/.test(from)),
        source.name
      ).toEqual([])
    }
  })

  it("neither do the parser, its driver, and what reads bodies", () => {
    for (const name of [
      "answer/Sse",
      "answer/WireReader",
      "Protocol",
      "protocol/ToolCalls",
      "protocol/ThinkTags",
      "Json",
      "refusal/Fault",
      "BaseUrl",
      "request/History",
      "refusal/Refusal",
      "chat/Message",
      "chat/Request",
      "chat/Event",
      "chat/Reply"
    ]) {
      const source = sources.find((source) => source.name === name)
      expect(
        source?.imports.filter(({ from }) => !from.startsWith(".")),
        name
      ).toEqual([])
    }
  })

  it("catalogs import types and nothing else, so that one costs its words alone", () => {
    expect(importers("explain/").length).toBeGreaterThan(0)
    for (const source of importers("explain/")) {
      expect(
        source.imports.filter(({ typeOnly }) => !typeOnly),
        source.name
      ).toEqual([])
    }
  })

  it("the scripted gateway imports nothing of the rest, so that it cannot agree with it by mistake", () => {
    const testing = sources.filter(({ name }) => name.startsWith("testing/"))
    expect(testing.flatMap(relative).filter(({ from }) => !/^\.\/\w+\.js$/.test(from))).toEqual([])
  })
})
