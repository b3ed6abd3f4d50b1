/** The words for each error, in every language: they are there, and they are true. */
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Redacted } from "effect"
import * as Classify from "../src/Classify.js"
import * as Credential from "../src/Credential.js"
import * as Explain from "../src/Explain.js"
import type { Catalog } from "../src/explain/Catalog.js"
import { en } from "../src/explain/en.js"
import { zh } from "../src/explain/zh.js"
import * as ProviderError from "../src/ProviderError.js"
import type { RetryNotice } from "../src/RetryObserver.js"
import { plantedKey } from "./Wire.js"

type Facts = ProviderError.Facts

const once: Facts = { provider: "mimo", attempts: 1, history: [], emitted: false }
const source = "MIMO_API_KEY"
const fingerprint = "0a1b2c3d"

const missing = (problem: ProviderError.KeyProblem, facts: Partial<Facts> = {}) =>
  new ProviderError.AuthMissing({ ...once, attempts: 0, source, problem, ...facts })
const rejected = (knownGood: boolean, facts: Partial<Facts> = {}) =>
  new ProviderError.AuthRejected({ ...once, status: 401, source, fingerprint, knownGood, ...facts })
const transient = (reason: ProviderError.TransientReason, facts: Partial<Facts> = {}) =>
  new ProviderError.Transient({ ...once, reason, ...facts })

/** Every tag and reason, each with these facts. */
const all = (
  facts: Partial<Facts> = {}
): ReadonlyArray<readonly [name: string, error: ProviderError.ProviderError]> => [
  ...ProviderError.KeyProblem.literals.map((problem) => [`AuthMissing ${problem}`, missing(problem, facts)] as const),
  ["AuthRejected, never accepted", rejected(false, facts)],
  ["AuthRejected, accepted before", rejected(true, facts)],
  ...ProviderError.TransientReason.literals.map((reason) => [`Transient ${reason}`, transient(reason, facts)] as const),
  ["QuotaExceeded", new ProviderError.QuotaExceeded({ ...once, ...facts })],
  ...ProviderError.InvalidRequestReason.literals.map(
    (reason) => [`InvalidRequest ${reason}`, new ProviderError.InvalidRequest({ ...once, reason, ...facts })] as const
  ),
  [
    "InvalidResponse",
    new ProviderError.InvalidResponse({ ...once, reason: "NotTheProtocol", contentType: "text/html", ...facts })
  ]
]

/** The first of two retries, in 625 ms. */
const notice = (error: ProviderError.ProviderError): RetryNotice => ({
  provider: "mimo",
  error,
  attempt: 1,
  budget: 2,
  delay: Duration.millis(625),
  at: 0
})

const wordsOf = ({ action, detail, title }: Explain.Explanation): string => [title, detail, action].join("\n")

const catalogs: ReadonlyArray<readonly [language: string, catalog: Catalog]> = [
  ["en", en],
  ["zh", zh]
]

for (const [language, catalog] of catalogs) {
  describe(`${language}: every tag and reason`, () => {
    for (const status of [undefined, 418]) {
      for (const [name, error] of all({ status })) {
        it(`${name}${status === undefined ? "" : " with a status"} has a title, a detail and an action`, () => {
          const { action, detail, title } = Explain.explain(error, catalog)
          for (const words of [title, detail, action]) {
            expect(words.trim()).toBe(words)
            expect(words.length).toBeGreaterThan(1)
            expect(words).not.toMatch(/undefined|null|NaN|\[object/)
          }
        })
      }
    }

    // A stream breaks off after a 200, and that number tells the reader nothing; who is not reached sends no status.
    const silent = /StreamInterrupted|StreamStalled|Unreachable/

    for (const [name, error] of all({ status: 418 }).filter(([name]) => !silent.test(name))) {
      it(`${name} names the status where there is one`, () => {
        expect(Explain.explain(error, catalog).detail).toContain("HTTP 418")
      })
    }

    for (const [name, error] of all()) {
      const withoutStatus = ProviderError.withFacts(error, { status: undefined })
      it(`${name} names no status where there is none`, () => {
        expect(wordsOf(Explain.explain(withoutStatus, catalog))).not.toMatch(/HTTP \d/)
      })
    }

    it("no two tags or reasons have the same words", () => {
      const words = all().map(([, error]) => wordsOf(Explain.explain(error, catalog)))
      expect(new Set(words).size).toBe(words.length)
    })

    it("the provider is named as it writes its name, and one that is not known by its id", () => {
      const detail = (provider: string) => Explain.explain(transient("ServerError", { provider }), catalog).detail
      for (const [id, name] of [
        ["mimo", "MiMo"],
        ["openai", "OpenAI"],
        ["my-gateway", "my-gateway"]
      ] as const) {
        expect(detail(id)).toContain(name)
      }
    })
  })

  describe(`${language}: the number of requests`, () => {
    const claims = /retr(y|ies|ied)|requests were|次请求|已重试|重试了/i

    for (const attempts of [0, 1]) {
      for (const [name, error] of all({ attempts })) {
        it(`${name} after ${attempts}: not a word of a retry`, () => {
          const said = wordsOf(Explain.explain(error, catalog))
          expect(said).not.toMatch(claims)
        })
      }
    }

    for (const [name, error] of all({ attempts: 11 })) {
      it(`${name} after 11: the detail says so`, () => {
        expect(Explain.explain(error, catalog).detail).toMatch(/\b11 requests were made\.|共发送了 11 次请求。/)
      })
    }
  })

  describe(`${language}: a key`, () => {
    it("missing, never accepted, and accepted before are three different texts", () => {
      const errors = [missing("Absent", { status: 401, attempts: 1 }), rejected(false), rejected(true)]
      for (const part of ["title", "detail", "action"] as const) {
        expect(new Set(errors.map((error) => Explain.explain(error, catalog)[part])).size).toBe(3)
      }
    })

    it("the variable to look at is named", () => {
      for (const error of [missing("Absent"), missing("Blank"), missing("Absent", { status: 401 }), rejected(false)]) {
        expect(Explain.explain(error, catalog).action).toContain(source)
      }
      expect(wordsOf(Explain.explain(rejected(true), catalog))).toContain(source)
    })

    const blame = /expired|invalid|wrong|incorrect|bad key|过期|失效|无效|错误|不正确/i

    it("that was accepted before is never called expired, invalid or wrong", () => {
      for (const status of [401, 403]) {
        for (const attempts of [1, 3]) {
          expect(wordsOf(Explain.explain(rejected(true, { status, attempts }), catalog))).not.toMatch(blame)
        }
      }
      expect(wordsOf(Explain.retrying(notice(rejected(true)), catalog))).not.toMatch(blame)
    })

    it("what the server says of it stands in quotation marks", () => {
      const { detail } = Explain.explain(rejected(true, { detail: "Invalid API Key" }), catalog)
      expect(detail).toContain("“Invalid API Key”")
      expect(detail.replace(/“[^”]*”/, "")).not.toMatch(blame)
    })

    it("that nothing was sent is said only where nothing was", () => {
      const nothing = /nothing was sent|没有发送任何请求/
      for (const problem of ProviderError.KeyProblem.literals) {
        expect(Explain.explain(missing(problem), catalog).detail).toMatch(nothing)
        expect(Explain.explain(missing(problem, { status: 401, attempts: 1 }), catalog).detail).not.toMatch(nothing)
      }
      expect(Explain.explain(rejected(false), catalog).detail).not.toMatch(nothing)
    })

    it("of the user's stands in no words, though the server echoes it", async () => {
      const key = await Effect.runPromise(
        Effect.flatMap(Credential.make({ apiKey: Redacted.make(plantedKey), source }), (credential) => credential.read)
      )
      const echo = `{"error":{"message":"no: ${plantedKey}","code":"${plantedKey}"}}`
      for (const status of [400, 401, 402, 500]) {
        const raw = { provider: "mimo", status, headers: { "x-request-id": plantedKey }, body: echo, now: 0 }
        const error = Classify.classify(raw, { source, key, knownGood: true, emitted: false })
        const said = wordsOf(Explain.explain(error, catalog)) + wordsOf(Explain.retrying(notice(error), catalog))
        for (let i = 0; i + 8 <= plantedKey.length; i++) expect(said).not.toContain(plantedKey.slice(i, i + 8))
      }
    })
  })

  describe(`${language}: what there is to do`, () => {
    it("a wait that the server asked for is named, and given for a countdown", () => {
      for (const reason of ProviderError.TransientReason.literals) {
        const retryAfter = Duration.minutes(5)
        const error = new ProviderError.Transient({ ...once, reason, retryAfter })
        const explanation = Explain.explain(error, catalog)
        expect(explanation.retryAfter).toEqual(retryAfter)
        expect(explanation.action).toMatch(/\b5 minutes|5 分钟/)
      }
    })

    it("without one there is no countdown", () => {
      for (const [, error] of all()) expect(Object.keys(Explain.explain(error, catalog))).not.toContain("retryAfter")
    })

    it("a quota that is filled again has its time", () => {
      const resetsAt = DateTime.unsafeMake("2026-05-15T15:00:00Z")
      const { action } = Explain.explain(new ProviderError.QuotaExceeded({ ...once, resetsAt }), catalog)
      expect(action).toContain("2026-05-15T15:00")
    })

    it("an answer that broke off says so, and only then", () => {
      const brokeOff = /already arrived|已经到达/
      for (const [, error] of all({ emitted: true })) expect(Explain.explain(error, catalog).detail).toMatch(brokeOff)
      for (const [, error] of all()) expect(Explain.explain(error, catalog).detail).not.toMatch(brokeOff)
    })
  })
}

describe("each language is itself", () => {
  const facts = { attempts: 3, emitted: true, status: 418 }
  const explanations = (catalog: Catalog) => [
    ...[...all(), ...all(facts)].map(([, error]) => Explain.explain(error, catalog)),
    ...all(facts).map(([, error]) => Explain.retrying(notice(error), catalog)),
    Explain.explain(
      new ProviderError.Transient({ ...once, reason: "RateLimited", retryAfter: Duration.hours(3) }),
      catalog
    )
  ]

  it("en has nothing Chinese", () => {
    for (const explanation of explanations(en)) expect(wordsOf(explanation)).not.toMatch(/[\p{Script=Han}，。：（）]/u)
  })

  it("zh has no English sentence", () => {
    for (const explanation of explanations(zh)) {
      expect(wordsOf(explanation)).not.toMatch(/[a-z]+ [a-z]+ [a-z]+/i)
      expect(explanation.detail).toMatch(/\p{Script=Han}/u)
    }
  })

  it("zh ends its sentences in its own way, with no space behind them", () => {
    for (const explanation of explanations(zh)) expect(wordsOf(explanation)).not.toMatch(/[。，] |\p{Script=Han}: /u)
  })
})

describe("a retry that is about to happen", () => {
  it("says which, of how many, how soon and why", () => {
    expect(Explain.retrying(notice(rejected(true)))).toEqual({
      title: "Retrying 1 of 2 in 0.6 s",
      detail: "Retrying 1 of 2 in 0.6 s: the gateway refused the key (HTTP 401), though it worked before",
      action: "Nothing to do; the call goes on by itself.",
      retryAfter: Duration.millis(625)
    })
    expect(Explain.retrying(notice(rejected(true)), zh).detail).toMatch(/^0\.6 秒后重试，第 1 次，共 2 次.*HTTP 401/)
  })

  it("names the reason of each error that passes", () => {
    const details = ProviderError.TransientReason.literals.map(
      (reason) => Explain.retrying(notice(transient(reason))).detail
    )
    expect(new Set(details).size).toBe(details.length)
    expect(Explain.retrying(notice(transient("Overloaded", { status: 503 }))).detail).toContain("HTTP 503")
  })

  it("leaves the number away that a policy does not say", () => {
    expect(Explain.retrying({ ...notice(transient("ServerError")), attempt: 4, budget: undefined }).title).toBe(
      "Retrying 4 in 0.6 s"
    )
  })

  for (const [delay, expected] of [
    ["1 milli", "0 s"],
    ["1500 millis", "1.5 s"],
    ["2 seconds", "2 s"],
    ["9960 millis", "10 s"],
    ["15249 millis", "15 s"],
    ["90 seconds", "90 s"],
    ["5 minutes", "5 minutes"],
    ["90 minutes", "90 minutes"],
    ["3 hours", "3 hours"]
  ] as const) {
    it(`a wait of ${delay} is ${expected}`, () => {
      const title = Explain.retrying({ ...notice(transient("ServerError")), delay: Duration.decode(delay) }).title
      expect(title).toBe(`Retrying 1 of 2 in ${expected}`)
    })
  }
})

describe("a catalog", () => {
  it("of English is the default", () => {
    for (const [, error] of all()) expect(Explain.explain(error)).toEqual(Explain.explain(error, en))
  })

  it("that leaves something out does not compile", () => {
    const { QuotaExceeded: _quota, ...withoutTag } = en
    const { Overloaded: _overloaded, ...reasons } = en.Transient
    const { Asked: _asked, ...problems } = en.AuthMissing
    // @ts-expect-error a tag is missing
    const first: Catalog = withoutTag
    // @ts-expect-error a reason is missing
    const second: Catalog = { ...en, Transient: reasons }
    // @ts-expect-error a problem is missing
    const third: Catalog = { ...en, AuthMissing: problems }
    // @ts-expect-error there is no such reason
    const fourth: Catalog = { ...en, Transient: { ...en.Transient, Bored: en.Transient.Overloaded } }
    expect([first, second, third, fourth]).toHaveLength(4)
  })
})
