/** docs/architecture.md and docs/CONTRIBUTING.md say what is there: files, names, commands, rows and values. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import { Chat, Provider, type ProviderError, RetryObserver } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { accept, chunk, mimo, patiently, refused, whole } from "../Wire.js"

const read = (path: string): string => readFileSync(path, "utf8")

const page = read("docs/architecture.md")

/** What stands between backticks. */
const quoted = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/`([^`\n]+)`/g), ([, word = ""]) => word)

for (const name of ["architecture", "CONTRIBUTING"]) {
  describe(`docs/${name}.md`, () => {
    const text = read(`docs/${name}.md`)

    it("names files that are there", () => {
      const paths = quoted(text).flatMap((word) => word.match(/\b(src|test|docs)\/[\w./]*/g) ?? [])
      expect(paths.length).toBeGreaterThan(4)
      expect(paths.filter((path) => !existsSync(path))).toEqual([])
    })

    it("names commands that are there", () => {
      const { scripts } = JSON.parse(read("package.json"))
      const commands = Array.from(text.matchAll(/\bnpm run ([\w:]+)/g), ([, command = ""]) => command)
      expect(commands.filter((command) => !(command in scripts))).toEqual([])
    })

    it("links to pages that are there", () => {
      const pages = Array.from(text.matchAll(/\]\(([^)#]+)\)/g), ([, link = ""]) => link)
      expect(pages.filter((link) => !existsSync(`docs/${link}`))).toEqual([])
    })
  })
}

describe("the words of docs/architecture.md", () => {
  const rows = Array.from(
    page.matchAll(/^\| `(\w+)` +\| .+ \| `(src\/[\w/]+\.ts)` +\|$/gm),
    ([, word = "", file = ""]) => ({
      word,
      file
    })
  )

  it("are a dozen", () => {
    expect(rows.length).toBe(12)
  })

  for (const { file, word } of rows) {
    it(`${word} is defined in ${file}`, () => {
      expect(read(file)).toMatch(new RegExp(`^export (class|interface|type|const) ${word}\\b`, "m"))
    })
  }
})

describe("the recipes of docs/architecture.md", () => {
  /** The text below a heading. */
  const recipe = (title: string): string => page.split(`### ${title}\n`)[1]?.split("\n### ")[0] ?? ""

  const rowsOf = (title: string): ReadonlyArray<string> => quoted(/^Rows: .*$/m.exec(recipe(title))?.[0] ?? "")

  const names = (folder: string, pattern: RegExp): ReadonlyArray<string> =>
    readdirSync(folder).flatMap((file) => pattern.exec(file)?.[1] ?? [])

  const tags: { readonly [tag in ProviderError.ProviderError["_tag"]]: true } = {
    AuthMissing: true,
    AuthRejected: true,
    Transient: true,
    QuotaExceeded: true,
    InvalidRequest: true,
    InvalidResponse: true
  }

  /** The members of each family, and the folder whose files are its members. */
  const families: { readonly [title: string]: ReadonlyArray<string> } = {
    // `OpenAiCompatible` is any host, so it has no name of its own.
    "A preset": names("src/provider", /^(\w+)\.ts$/).filter((name) => name !== "OpenAiCompatible"),
    "A wire": names("src/protocol", /^(\w+)Request\.ts$/),
    "An error tag": Object.keys(tags),
    "A language": names("src/explain", /^([a-z]{2})\.ts$/)
  }

  /** A word in a comment is no row. */
  const written = (file: string): string => {
    const text = read(file)
    return file.endsWith(".ts") ? text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1") : text
  }

  /** Which of them the file does not have. */
  const missing = (file: string, members: ReadonlyArray<string>): ReadonlyArray<string> => {
    const text = written(file)
    return members.filter((member) => !new RegExp(`\\b${member}\\b`, "i").test(text))
  }

  for (const [title, members] of Object.entries(families)) {
    it(`${title}: each file that it lists has all of them`, () => {
      expect(members.length).toBeGreaterThan(1)
      expect(rowsOf(title).length).toBeGreaterThan(2)
      const forgotten = rowsOf(title).flatMap((file) => missing(file, members).map((member) => `${member} in ${file}`))
      expect(forgotten.join(", ")).toBe("")
    })
  }

  it("An error tag: no file of src that has all of them is left out", () => {
    const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
      .map((file) => `src/${file.replaceAll("\\", "/")}`)
      .filter((file) => file.endsWith(".ts") && missing(file, Object.keys(tags)).length === 0)
      // Every language has them all: the type of a catalog asks for them.
      .filter((file) => !/^src\/explain\/(?!en)[a-z]{2}\.ts$/.test(file))
    expect(
      rowsOf("An error tag")
        .filter((file) => file.startsWith("src/"))
        .sort()
    ).toEqual(sources.sort())
  })

  it("A store, A span attribute: every name in code is found in the files that the recipe names", () => {
    for (const title of ["A store for `KnownGood`", "A span attribute"]) {
      const words = quoted(recipe(title))
      const text =
        words
          .filter((word) => /\.ts$/.test(word))
          .map(read)
          .join("\n") + read("src/KnownGood.ts")
      const unknown = words.filter((word) => /^[\w.]+$/.test(word) && !text.includes(word.split(".").at(-1) ?? ""))
      expect(words.length).toBeGreaterThan(3)
      expect(unknown, title).toEqual([])
    }
  })
})

describe("the figure of docs/architecture.md", () => {
  const because = chunk({ content: "Because" })
  const answer = Gateway.sse([because, chunk({}, { finish_reason: "stop" }), "[DONE]"])

  it.effect("the values of the figure are those of a real request", () =>
    Effect.gen(function* () {
      yield* accept
      const notices: Array<RetryObserver.RetryNotice> = []
      const observer = { onRetry: (notice: RetryObserver.RetryNotice) => Effect.sync(() => void notices.push(notice)) }
      const request = { messages: [Chat.user("Why is the sky blue?")] }
      const events = yield* patiently(
        Stream.runCollect(Provider.stream(request)).pipe(Effect.provideService(RetryObserver.RetryObserver, observer))
      )
      const [, sent] = yield* Gateway.requests
      const figure = page.replace(/\n[ │]+(?=")/g, "")
      expect(figure).toContain(JSON.stringify(sent?.body))
      expect(figure).toContain(`${sent?.method} ${sent?.url}`)
      expect(figure).toContain(`api-key: ${String(sent?.headers["api-key"]).slice(0, 4)}`)
      const [notice] = notices
      const error = notice?.error
      expect([error?._tag, error?.attempts, error?.code]).toEqual(["AuthRejected", 1, "invalid_key"])
      expect(error?._tag === "AuthRejected" && error.knownGood).toBe(true)
      expect(page).toContain(`{ code: "${error?.code}", detail: "${error?.detail}" }`)
      expect([notice?.attempt, notice?.budget]).toEqual([1, 2])
      const millis = Duration.toMillis(notice?.delay ?? 0)
      const [, least, most] = /in (\d+) to (\d+) ms/.exec(page)?.map(Number) ?? []
      expect(millis).toBeGreaterThanOrEqual(least ?? Number.NaN)
      expect(millis).toBeLessThanOrEqual(most ?? Number.NaN)
      expect(Array.from(events)[0]).toEqual({ _tag: "TextDelta", text: "Because" })
      expect(page).toContain('{ _tag: "TextDelta", text: "Because" }')
    }).pipe(Effect.provide(mimo((_, index) => (index === 0 ? whole : index === 1 ? refused() : answer))))
  )
})
