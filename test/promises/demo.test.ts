/** The demo, as its reader runs it: a process of its own, judged by what it prints and by its exit code. */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Either, Layer } from "effect"
import { EmbeddedGateway, keys, layer, places } from "../../docs/demo/EmbeddedGateway.js"
import { columns, Line } from "../../docs/demo/Line.js"
import * as LiveService from "../../docs/demo/LiveService.js"
import * as Options from "../../docs/demo/Options.js"
import * as Page from "../../docs/demo/Page.js"
import * as Step from "../../docs/demo/Step.js"
import { words } from "../../docs/demo/Words.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { plantedKey, refused, streamed, times } from "../Wire.js"

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const root = fileURLToPath(new URL("../..", import.meta.url))
const tsx = createRequire(import.meta.url).resolve("tsx/cli")

/** No key of the machine's, and no wish about colours, reaches the demo. */
const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}): Promise<Run> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsx, "docs/demo/main.ts", ...args], {
      cwd: root,
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env }
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, stdout, stderr }))
  })

const linesOf = ({ stdout }: Run): ReadonlyArray<unknown> =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line))

/** Pieces of 8 characters, as the SDK's own scrubbing counts them. */
const piecesOf = (key: string): ReadonlyArray<string> =>
  Array.from({ length: key.length - 7 }, (_, i) => key.slice(i, i + 8))

const expectNoKey = ({ stderr, stdout }: Run, ...secrets: ReadonlyArray<string>) => {
  const leaked = secrets.flatMap(piecesOf).filter((piece) => (stdout + stderr).includes(piece))
  expect(leaked).toEqual([])
}

const han = /\p{Script=Han}/u

// These runs are mostly waits, so they go side by side.
describe.concurrent("npm run demo", () => {
  const steps = (retry: RegExp, texts: Record<string, RegExp>) => [
    { step: "stream", requests: 1, outcome: "answered" },
    { step: "known-good-401", requests: 2, outcome: "answered", message: expect.stringMatching(retry) },
    {
      step: "never-good-401",
      requests: 1,
      outcome: "failed",
      tag: "AuthRejected",
      message: expect.stringMatching(texts["neverGood"] ?? "")
    },
    {
      step: "no-key",
      requests: 0,
      outcome: "failed",
      tag: "AuthMissing",
      message: expect.stringMatching(texts["noKey"] ?? "")
    },
    {
      step: "auth-budget",
      requests: 3,
      outcome: "failed",
      tag: "AuthRejected",
      message: expect.stringMatching(texts["authBudget"] ?? "")
    },
    {
      step: "transient-budget",
      requests: 11,
      outcome: "failed",
      tag: "Transient",
      message: expect.stringMatching(texts["transientBudget"] ?? "")
    },
    expect.objectContaining({ step: "burst", requests: expect.any(Number), outcome: "answered" })
  ]

  const finished = (result: Run) => {
    expect(result.stderr).toBe("")
    expect(result.code).toBe(0)
    expectNoKey(result, ...Object.values(keys))
  }

  it("--json prints one line per step, each as it should be", { timeout: 120_000 }, async () => {
    const result = await run(["--json"])
    finished(result)
    const lines = linesOf(result)
    expect(lines).toEqual(
      steps(/^Retrying 1 of 2 in 0\.[5-7] s\. The gateway refused the key \(HTTP 401\)/, {
        neverGood: /^MiMo refused the key from MIMO_API_KEY \(HTTP 401\).*not known to work/,
        noKey: /^No API key is configured for MiMo, so nothing was sent\. Set MIMO_API_KEY to your MiMo API key\./,
        authBudget: /has been accepted before.* 3 requests were made/,
        transientBudget: /HTTP 503.* 11 requests were made/
      })
    )
    // Eight calls that go a few at a time, because the gateway complained a moment ago; none is refused more than twice.
    const [burst] = lines.slice(-1)
    expect(burst).toMatchObject({ requests: expect.toSatisfy((count: number) => 8 <= count && count <= 24) })
  })

  it("--lang zh says it all in Chinese", { timeout: 120_000 }, async () => {
    const result = await run(["--json", "--lang", "zh"])
    finished(result)
    expect(linesOf(result)).toEqual(
      steps(/^0\.[5-7] 秒后进行第 1 次重试（共 2 次）.*网关拒绝了曾经可用的密钥/, {
        neverGood: /^MiMo 拒绝了来自 MIMO_API_KEY 的密钥（HTTP 401）.*目前无法确认该密钥.*可用/,
        noKey: /^没有找到 MiMo 的 API 密钥.*请将 MIMO_API_KEY 设为/,
        authBudget: /此前被接受过.*3 次请求/,
        transientBudget: /HTTP 503.*11 次请求/
      })
    )
  })

  it("shows the steps to a reader, without colours outside a terminal", { timeout: 120_000 }, async () => {
    const result = await run([])
    finished(result)
    expect(result.stdout).not.toContain("\u001b")
    for (const { title } of Object.values(words.en.steps)) expect(result.stdout).toContain(title)
    const unwrapped = result.stdout.replace(/\n {11}/g, " ")
    for (const { answer } of words.en.talk.slice(0, 2)) expect(unwrapped).toContain(answer)
    expect(unwrapped).toMatch(/Retrying 1 of 2 in 0\.[5-7] s\. The gateway refused the key \(HTTP 401\)/)
    expect(result.stdout).toContain("7 of 7 steps went as expected.")
  })
})

describe("options", () => {
  const none = {
    lang: "en",
    json: false,
    help: false,
    provider: undefined,
    model: undefined,
    region: undefined
  }

  for (const [args, options] of [
    ["", none],
    ["--lang zh --json", { ...none, lang: "zh", json: true }],
    ["-h", { ...none, help: true }],
    ["--provider=mimo --region sgp --model m", { ...none, provider: "mimo", region: "sgp", model: "m" }]
  ] as const) {
    it(`“${args}” is understood`, () => {
      expect(Options.parse(args.split(" ").filter(Boolean))).toEqual(Either.right(options))
    })
  }

  for (const [args, problem] of [
    ["--bogus", { _tag: "UnknownOption", option: "--bogus" }],
    ["-x", { _tag: "UnknownOption", option: "-x" }],
    ["--toString", { _tag: "UnknownOption", option: "--toString" }],
    ["--lang", { _tag: "NoValue", option: "--lang" }],
    ["--model=", { _tag: "NoValue", option: "--model" }],
    ["--json=no", { _tag: "UnwantedValue", option: "--json" }],
    ["zh", { _tag: "Stray", text: "zh" }],
    ["--lang fr", { _tag: "UnknownChoice", option: "--lang", value: "fr", choices: ["en", "zh"] }],
    ["--provider acme", { _tag: "UnknownChoice", option: "--provider", value: "acme", choices: LiveService.names }],
    ["--model m", { _tag: "NotHere", option: "--model", provider: undefined }],
    ["--provider openai --region cn", { _tag: "NotHere", option: "--region", provider: "openai" }],
    [
      "--provider minimax --region sgp",
      { _tag: "UnknownChoice", option: "--region", value: "sgp", choices: ["cn", "global"] }
    ]
  ] as const) {
    it(`“${args}” is refused, in both languages`, () => {
      const given = args.split(" ")
      expect(Options.parse(given)).toEqual(Either.left({ lang: "en", problem }))
      expect(words.en.problem(problem)).not.toMatch(han)
      expect(words.zh.problem(problem)).toMatch(han)
    })
  }

  it("a refusal is in the requested language", () => {
    expect(Options.parse(["--bogus", "--lang", "zh"])).toMatchObject(Either.left({ lang: "zh" }))
  })
})

describe("a step", () => {
  const answered: Step.Step = {
    id: "stream",
    call: Effect.void,
    expected: { outcome: "answered", requests: [0, 0] }
  }
  const idle = {
    url: "",
    requests: Effect.succeed(0),
    during:
      () =>
      <A>(self: A) =>
        self
  }
  const play = (step: Step.Step) => Step.play(step, 1, idle, Page.blank, words.en)

  it.effect("passes when all is as it should be", () =>
    Effect.gen(function* () {
      expect(yield* play(answered)).toMatchObject({ passed: true })
    })
  )

  for (const [what, expected] of [
    ["the gateway counts fewer requests", { outcome: "answered", requests: [1, 1] }],
    ["an error was to come", { outcome: "failed", tag: "AuthMissing", requests: [0, 0] }]
  ] as const) {
    it.effect(`does not pass when ${what}`, () =>
      Effect.gen(function* () {
        expect(yield* play({ ...answered, expected })).toMatchObject({ passed: false })
      })
    )
  }
})

describe("the gateway", () => {
  it.live("is full until somebody has been refused, however late the call", () =>
    Effect.gen(function* () {
      const { url } = yield* EmbeddedGateway
      const ask = (key: string) =>
        Effect.promise(async () => {
          const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] })
          const response = await fetch(`${url}/chat/completions`, { method: "POST", headers: { "api-key": key }, body })
          await response.text()
          return response.status
        })
      const late = (key: string) => Effect.zipRight(Effect.sleep("500 millis"), ask(key))
      const neighbours = yield* Effect.forEach(times(places, keys.neighbour), ask, { concurrency: "unbounded" })
      expect(neighbours).toEqual(times(places, 200))
      expect([yield* late(keys.session), yield* late(keys.session)]).toEqual([401, 200])
    }).pipe(Effect.provide(layer(() => "hello")))
  )
})

describe("a real service", () => {
  const anthropic = Gateway.sse([
    Gateway.named("message_start", {
      type: "message_start",
      message: { id: "m", model: "claude", usage: { input_tokens: 1, output_tokens: 0 } }
    }),
    Gateway.named("content_block_start", {
      type: "content_block_start",
      index: 0,
      content_block: { type: "text", text: "" }
    }),
    Gateway.named("content_block_delta", {
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text: "Hello, world" }
    }),
    Gateway.named("content_block_stop", { type: "content_block_stop", index: 0 }),
    Gateway.named("message_delta", {
      type: "message_delta",
      delta: { stop_reason: "end_turn" },
      usage: { output_tokens: 3 }
    }),
    Gateway.named("message_stop", { type: "message_stop" })
  ])

  /** What is seen and what is sent, with the key in every provider's variable. */
  const play = (name: LiveService.Name, script: Gateway.Script, choice: Partial<LiveService.Choice> = {}) => {
    const variables = new Map(LiveService.names.map((name) => [`${name.toUpperCase()}_API_KEY`, plantedKey]))
    const written: Array<string> = []
    const page = Page.make({ write: (text) => written.push(text) }, words.en.seconds)
    return Effect.gen(function* () {
      const seen = yield* LiveService.play(name, { model: undefined, region: undefined, ...choice }, page, words.en)
      const [request] = yield* Gateway.requests
      return { seen, written: written.join(""), request }
    }).pipe(
      Effect.provide(Layer.merge(Gateway.layer(script), Layer.setConfigProvider(ConfigProvider.fromMap(variables))))
    )
  }

  for (const [name, choice, host] of [
    ["mimo", {}, "https://api.xiaomimimo.com/"],
    ["mimo", { region: "sgp" }, "https://token-plan-sgp.xiaomimimo.com/"],
    ["deepseek", {}, "https://api.deepseek.com/"],
    ["minimax", { region: "cn" }, "https://api.minimaxi.com/"],
    ["anthropic", {}, "https://api.anthropic.com/"],
    ["openai", { model: "another" }, "https://api.openai.com/"]
  ] as const) {
    it.effect(`${[name, ...Object.values(choice)].join(" ")} is asked at ${host}`, () =>
      Effect.gen(function* () {
        const { request, seen, written } = yield* play(name, [name === "anthropic" ? anthropic : streamed], choice)
        expect(seen).toEqual({ step: name, requests: 1, outcome: "answered" })
        expect(written).toContain("Hello, world")
        expect(request?.url.startsWith(host)).toBe(true)
        expect(request?.body).toMatchObject({ stream: true, ...("model" in choice ? { model: choice.model } : {}) })
      })
    )
  }

  it.effect("a key that it refuses is explained after 1 request", () =>
    Effect.gen(function* () {
      const { seen, written } = yield* play("mimo", [refused()])
      expect(seen).toMatchObject({ requests: 1, outcome: "failed", tag: "AuthRejected" })
      expect(written).toContain("API key refused")
    })
  )
})

describe("a line", () => {
  const texts = [...words.en.talk, ...words.zh.talk].map(({ answer }) => answer)

  it("is no wider than the page, however its text is cut", () => {
    for (const text of texts) {
      for (const size of [1, 2, 3, 7, text.length]) {
        const line = new Line(11, 48)
        const pieces = text.match(new RegExp(`.{1,${size}}`, "gu")) ?? []
        const rows = `${" ".repeat(11)}${pieces.map((piece) => line.add(piece)).join("")}`.split("\n")
        expect(Math.max(...rows.map(columns))).toBeLessThanOrEqual(48)
        expect(rows.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""))
      }
    }
  })

  it("does not begin with a Chinese comma or full stop", () => {
    for (const text of texts) expect(new Line(0, 40).add(text)).not.toMatch(/\n[，。]/)
  })

  it("breaks between words", () => {
    expect(new Line(2, 14).add("one two three")).toBe("one two\n  three")
  })
})

// Apart from the long runs, whose time is looked at.
describe.concurrent("npm run demo, briefly", () => {
  it("a provider without its variable is explained, and fails", { timeout: 120_000 }, async () => {
    const result = await run(["--provider", "mimo"])
    expect(result).toMatchObject({ code: 1, stderr: "" })
    expect(result.stdout).toContain("No API key")
    expect(result.stdout).toContain("Set MIMO_API_KEY to your MiMo API key.")
    expect(result.stdout).toContain("Nothing was sent.")
  })

  it("a key that no header can carry is explained in one line of JSON, without showing it", {
    timeout: 120_000
  }, async () => {
    const result = await run(["--provider", "mimo", "--json", "--lang", "zh"], { MIMO_API_KEY: `${plantedKey}…` })
    expect(result).toMatchObject({ code: 1, stderr: "" })
    expect(linesOf(result)).toEqual([
      {
        step: "mimo",
        requests: 0,
        outcome: "failed",
        tag: "AuthMissing",
        message: expect.stringMatching(/^MIMO_API_KEY 中的密钥含有.*请将您的 MiMo API 密钥重新复制到/)
      }
    ])
    expectNoKey(result, plantedKey)
  })

  it("an option that does not exist ends it with 2", { timeout: 120_000 }, async () => {
    expect(await run(["--langauge", "zh"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: `There is no option --langauge.\n${words.en.seeHelp}\n`
    })
  })

  it("--help is in the reader's language", { timeout: 120_000 }, async () => {
    expect(await run(["--help", "--lang", "zh"])).toMatchObject({ code: 0, stdout: words.zh.help, stderr: "" })
  })
})
