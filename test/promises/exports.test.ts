/** The public names. A change here is a change for every user of the package. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { en } from "../../src/explain/en.js"
import { zh } from "../../src/explain/zh.js"
import * as Knowngood from "../../src/index.js"
import * as Testing from "../../src/testing/index.js"

const names = (namespace: object): ReadonlyArray<string> => Object.keys(namespace).sort()

/** The values of each namespace; types are held by `types.test.ts`. */
const knowngood: { readonly [namespace: string]: ReadonlyArray<string> } = {
  Anthropic: ["layer", "layerConfig", "make"],
  AnthropicMessages: ["make"],
  Chat: [
    "assistant",
    "collect",
    "image",
    "reply",
    "sum",
    "system",
    "text",
    "textOnly",
    "toolResult",
    "unknownUsage",
    "user"
  ],
  ChatSchema: [
    "AssistantMessage",
    "Event",
    "Finish",
    "FinishReason",
    "ImagePart",
    "Message",
    "Part",
    "Reasoning",
    "Replay",
    "Reply",
    "Request",
    "SystemMessage",
    "TextPart",
    "ToolCall",
    "ToolDefinition",
    "ToolMessage",
    "Usage",
    "UserMessage"
  ],
  Credential: ["TypeId", "bearer", "header", "make"],
  DeepSeek: ["layer", "layerConfig", "make"],
  Explain: ["explain", "retrying"],
  Fallback: ["layer", "make", "movesOn"],
  KnownGood: ["KnownGood", "layerKeyValueStore"],
  MiMo: ["layer", "layerConfig", "make"],
  MiniMax: ["layer", "layerConfig", "make"],
  OpenAi: ["layer", "layerConfig", "make"],
  OpenAiChat: ["make"],
  OpenAiCompatible: ["layer", "layerConfig", "make"],
  OpenAiResponses: ["make"],
  Opened: ["batch", "failed", "fromEvents", "fromStream", "listen", "next", "nothing", "opening", "toStream", "within"],
  Provider: [
    "Provider",
    "complete",
    "completeObject",
    "fallback",
    "fallbackLayer",
    "iterate",
    "listen",
    "make",
    "models",
    "preset",
    "stream",
    "verify"
  ],
  ProviderError: [
    "Attempt",
    "AuthMissing",
    "AuthRejected",
    "InvalidRequest",
    "InvalidRequestProblem",
    "InvalidRequestReason",
    "InvalidResponse",
    "InvalidResponseReason",
    "KeyProblem",
    "QuotaExceeded",
    "Transient",
    "TransientClock",
    "TransientReason",
    "httpHeaders",
    "httpStatus",
    "isProviderError",
    "nothingSent",
    "schema",
    "toClient"
  ],
  RetryObserver: ["RetryObserver"],
  RetryPolicy: [
    "auth",
    "goOn",
    "isAuthRejected",
    "isTransient",
    "make",
    "mayHaveBeenTaken",
    "none",
    "observed",
    "standard",
    "transient",
    "when",
    "within"
  ],
  Tool: ["make"],
  Toolkit: ["before", "converse", "make", "merge", "outcome"],
  Transport: ["make", "transformClient"]
}

describe("knowngood", () => {
  it("has these namespaces", () => {
    expect(names(Knowngood)).toEqual(Object.keys(knowngood))
  })

  for (const [namespace, value] of Object.entries(Knowngood)) {
    it(`${namespace} has these names`, () => {
      expect(names(value)).toEqual(knowngood[namespace])
    })
  }
})

describe("knowngood/testing", () => {
  it("has these names", () => {
    expect(names(Testing)).toEqual(["Errors", "Gateway", "Jitter", "TestProvider"])
    expect(names(Testing.Errors)).toEqual([
      "authMissing",
      "authRejected",
      "invalidRequest",
      "invalidResponse",
      "quotaExceeded",
      "transient"
    ])
    expect(names(Testing.Jitter)).toEqual(["none"])
    expect(names(Testing.TestProvider)).toEqual([
      "TestProvider",
      "calls",
      "delay",
      "fail",
      "layer",
      "make",
      "push",
      "replies",
      "reply",
      "requests",
      "toolCall",
      "written"
    ])
    expect(names(Testing.Gateway)).toEqual([
      "Gateway",
      "comment",
      "delay",
      "drop",
      "dropAfter",
      "failAfter",
      "json",
      "layer",
      "models",
      "named",
      "outOfCredit",
      "overloaded",
      "paced",
      "rateLimited",
      "refused",
      "replies",
      "reply",
      "requests",
      "serve",
      "sse",
      "stall",
      "stallAfter",
      "status",
      "text",
      "toolCall",
      "unreachable"
    ])
  })
})

describe("knowngood/explain/*", () => {
  it("has one catalog per language, under the language's name", () => {
    expect(readdirSync("src/explain").sort()).toEqual(["Catalog.ts", "en.ts", "zh.ts"])
    expect([en, zh].map((catalog) => catalog.brokeOff.length > 0)).toEqual([true, true])
  })
})

describe("package.json", () => {
  interface Entry {
    readonly import: { readonly types: string; readonly default: string }
    readonly require: { readonly types: string; readonly default: string }
  }

  const { exports, main, module, types } = JSON.parse(readFileSync("package.json", "utf8"))
  const { "./package.json": itself, ...entries }: { readonly [path: string]: Entry } = exports

  /** The source that is built into this file of `dist`. */
  const sourceOf = (built: string): string =>
    built.replace(/^\.\/dist\/(esm|cjs)\//, "src/").replace(/(\.d\.ts|\.js)$/, ".ts")

  it("has these entry points, and itself", () => {
    expect(Object.keys(entries)).toEqual([".", "./explain/*", "./testing"])
    expect(itself).toBe("./package.json")
  })

  for (const [path, entry] of Object.entries(entries)) {
    it(`"${path}" is built from a source, for both kinds of module, and names its types first`, () => {
      for (const [condition, folder] of [
        ["import", "esm"],
        ["require", "cjs"]
      ] as const) {
        const { default: code, types } = entry[condition]
        expect(Object.keys(entry[condition])).toEqual(["types", "default"])
        expect(code).toMatch(new RegExp(`^\\./dist/${folder}/.*\\.js$`))
        expect(types).toBe(code.replace(/\.js$/, ".d.ts"))
        const sources = path.endsWith("/*")
          ? readdirSync("src/explain").map((file) => sourceOf(code).replace("*", file.replace(".ts", "")))
          : [sourceOf(code)]
        for (const source of sources) expect(existsSync(source), source).toBe(true)
      }
    })
  }

  it("says the same to tools that do not read exports", () => {
    expect([main, module, types].map(sourceOf)).toEqual(["src/index.ts", "src/index.ts", "src/index.ts"])
  })
})
