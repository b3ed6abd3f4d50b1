/** The words for each error, in every language: they exist, and they are true. */
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Redacted } from "effect"
import * as Credential from "../src/Credential.js"
import * as Explain from "../src/Explain.js"
import type { Catalog } from "../src/explain/Catalog.js"
import { en } from "../src/explain/en.js"
import { zh } from "../src/explain/zh.js"
import * as ProviderError from "../src/ProviderError.js"
import type { RetryNotice } from "../src/RetryObserver.js"
import * as Classify from "../src/refusal/Classify.js"
import * as Failure from "../src/refusal/Failure.js"
import { plantedKey } from "./Wire.js"

type Facts = ProviderError.Facts

const once: Facts = { provider: "mimo", attempts: 1, history: [], emitted: false }
const source = "MIMO_API_KEY"
const fingerprint = "0a1b2c3d"

const missing = (problem: ProviderError.KeyProblem, facts: Partial<Facts> = {}) =>
  new ProviderError.AuthMissing({ ...once, attempts: 0, source, problem, ...facts })
const rejected = (knownGood: boolean, facts: Partial<Facts> = {}) =>
  new ProviderError.AuthRejected({ ...once, status: 401, source, fingerprint, knownGood, ...facts })
const transient = (
  reason: ProviderError.TransientReason,
  facts: Partial<Facts> & Partial<Pick<ProviderError.Transient, "clock">> = {}
) => new ProviderError.Transient({ ...once, reason, ...facts })
const unsendable = (problem: ProviderError.InvalidRequestProblem, facts: Partial<Facts> & { subject?: string } = {}) =>
  new ProviderError.InvalidRequest({ ...once, attempts: 0, reason: "BadRequest", problem, ...facts })
const badAnswer = (reason: ProviderError.InvalidResponseReason, facts: Partial<ProviderError.InvalidResponse> = {}) =>
  new ProviderError.InvalidResponse({ ...once, reason, ...facts })

/**
 * Node's codes for a certificate that cannot be verified: one for each wording, and one without a wording of its own.
 */
const certificates = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE"
]

/** What else an `InvalidResponse` of each reason may say. */
const about: { readonly [reason in ProviderError.InvalidResponseReason]: Partial<ProviderError.InvalidResponse> } = {
  NotTheProtocol: { contentType: "text/html" },
  Empty: { contentType: "text/html" },
  Redirect: { location: "https://elsewhere.test/v1" },
  TooLarge: {},
  NotJson: {},
  SchemaMismatch: { mismatch: "city: expected string, got 42" },
  Truncated: {},
  Refused: { refusal: "I cannot help with that." },
  Filtered: {}
}

/** Every tag with each of its literals, each with these facts. */
const all = (
  facts: Partial<Facts> = {}
): ReadonlyArray<readonly [name: string, error: ProviderError.ProviderError]> => [
  ...ProviderError.KeyProblem.literals.map((problem) => [`AuthMissing ${problem}`, missing(problem, facts)] as const),
  ["AuthRejected, not known good", rejected(false, facts)],
  ["AuthRejected, accepted before", rejected(true, facts)],
  ...ProviderError.TransientReason.literals.map((reason) => [`Transient ${reason}`, transient(reason, facts)] as const),
  ["Transient TimedOut by headers", transient("TimedOut", { clock: "headers", ...facts })],
  ["Transient StreamStalled by idle", transient("StreamStalled", { clock: "idle", ...facts })],
  ["Transient StreamStalled by stall", transient("StreamStalled", { clock: "stall", ...facts })],
  ["QuotaExceeded", new ProviderError.QuotaExceeded({ ...once, ...facts })],
  ...ProviderError.InvalidRequestReason.literals.map(
    (reason) => [`InvalidRequest ${reason}`, new ProviderError.InvalidRequest({ ...once, reason, ...facts })] as const
  ),
  ...ProviderError.InvalidRequestProblem.literals.map(
    (problem) => [`InvalidRequest ${problem}`, unsendable(problem, { subject: "the-subject", ...facts })] as const
  ),
  ...certificates.map(
    (code) =>
      [`InvalidRequest UntrustedCertificate ${code}`, unsendable("UntrustedCertificate", { code, ...facts })] as const
  ),
  ...ProviderError.InvalidResponseReason.literals.map(
    (reason) => [`InvalidResponse ${reason}`, badAnswer(reason, { ...about[reason], ...facts })] as const
  ),
  ["InvalidResponse NotJson, a tool's", badAnswer("NotJson", { tool: "weather", ...facts })]
]

/** The same, without the facts that only some errors have. */
const bare = (): ReadonlyArray<readonly [name: string, error: ProviderError.ProviderError]> => [
  ...ProviderError.InvalidRequestProblem.literals.map(
    (problem) => [`InvalidRequest ${problem}, bare`, unsendable(problem)] as const
  ),
  ...ProviderError.InvalidResponseReason.literals.map(
    (reason) => [`InvalidResponse ${reason}, bare`, badAnswer(reason)] as const
  )
]

/** Everything that a language says, about every error and every retry. */
const everything = (
  catalog: Catalog
): ReadonlyArray<readonly [name: string, error: ProviderError.ProviderError, said: Explain.Explanation]> =>
  [
    ...all(),
    ...bare(),
    ...all({ status: 418, attempts: 3, emitted: true, detail: "I'm a teapot." }),
    ...all({ status: 0, attempts: 1 })
  ].flatMap(([name, error]) => [
    [name, error, Explain.explain(error, catalog)] as const,
    [`a retry after ${name}`, error, Explain.retrying(notice(error), catalog)] as const
  ])

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

    /**
     * Where the status is worth naming. A stream breaks off after a 200, and what the model wrote arrived with one,
     * too: that number tells the reader nothing. A server that was not reached or not asked sent none.
     */
    const tells = (error: ProviderError.ProviderError): boolean => {
      switch (error._tag) {
        case "Transient":
          return error.clock === undefined && !/Stream|Unreachable/.test(error.reason)
        case "InvalidRequest":
          return error.problem === undefined
        case "InvalidResponse":
          return /NotTheProtocol|Empty|Redirect/.test(error.reason)
        default:
          return true
      }
    }

    for (const [name, error] of all({ status: 418, attempts: 1 }).filter(([, error]) => tells(error))) {
      it(`${name} names the status if there is one`, () => {
        expect(Explain.explain(error, catalog).detail).toContain("HTTP 418")
      })
    }

    for (const [name, error] of all()) {
      const withoutStatus = Failure.withFacts(error, { status: undefined })
      it(`${name} names no status if there is none`, () => {
        expect(wordsOf(Explain.explain(withoutStatus, catalog))).not.toMatch(/HTTP \d/)
      })
    }

    it("no two literals have the same words", () => {
      const words = all().map(([, error]) => wordsOf(Explain.explain(error, catalog)))
      expect(new Set(words).size).toBe(words.length)
    })

    it("a title has no full stop; a detail and an action end with one", () => {
      for (const [name, , { action, detail, title }] of everything(catalog)) {
        expect([name, title]).toEqual([name, expect.not.stringMatching(/[.。!！:：,，;；]$/)])
        for (const sentence of [detail, action])
          expect([name, sentence]).toEqual([name, expect.stringMatching(/[.。]$/)])
        expect([name, detail]).toEqual([name, expect.not.stringMatching(/\.\.|。。|\.”\.|\s\.|\s\s|\n/)])
      }
    })

    it("no sentence says undefined, null, NaN or HTTP 0", () => {
      for (const [name, , said] of everything(catalog)) {
        expect([name, wordsOf(said)]).toEqual([name, expect.not.stringMatching(/undefined|null|NaN|\[object|HTTP 0/)])
      }
    })

    it("a provider is named as it writes its own name, an unknown one by its id", () => {
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

  describe(`${language}: what a server is said to have done`, () => {
    /** A sentence of which the provider, or something that stands for it, is the subject. */
    const claims =
      language === "en"
        ? /(?:^|[.;:,] |\b(?:and|but|because|so) )(?:MiMo|[Ii]t|[Tt]he (?:server|gateway|provider|host)) (?!API|key)\p{Ll}+/u
        : /(?:^|[。，；：])(?:MiMo|服务端|服务商|网关|服务器|对方)(?! 的)/u

    const unanswered = [
      ...all({ status: undefined, attempts: 0, detail: "planted words" }),
      ...all({ status: undefined, attempts: 1, detail: "planted words" }),
      ...all({ status: 418, attempts: 0, detail: "planted words" })
    ].map(([name, error]) => [name, Failure.withFacts(error, { detail: "planted words" })] as const)

    for (const [name, error] of unanswered) {
      it(`${name}, attempts ${error.attempts}, status ${error.status}: nothing, because no server answered`, () => {
        const { detail, title } = Explain.explain(error, catalog)
        expect(detail).not.toContain("planted words")
        expect(detail).not.toMatch(claims)
        expect(title).not.toMatch(claims)
        expect(detail).not.toMatch(/HTTP \d/)
      })
    }

    it("the law above can fail: it finds the claims about a server that answered", () => {
      for (const error of [transient("ServerError", { status: 500 }), rejected(true), rejected(false)]) {
        expect(Explain.explain(error, catalog).detail).toMatch(claims)
      }
    })

    it("its own words are quoted if it answered, with one full stop", () => {
      for (const [, error] of all({ status: 418, attempts: 1, detail: "I'm a teapot." })) {
        expect(Explain.explain(error, catalog).detail).toMatch(/“I'm a teapot”[.。]$/)
      }
    })

    it("before a retry, too: nothing, if no server answered", () => {
      for (const [name, error] of unanswered) {
        const { detail } = Explain.retrying(notice(error), catalog)
        expect([name, detail]).toEqual([name, expect.not.stringMatching(claims)])
        expect([name, detail]).toEqual([name, expect.not.stringMatching(/HTTP \d/)])
      }
    })

    it("blank words are not quoted", () => {
      for (const detail of ["", " \n"]) {
        const error = transient("ServerError", { status: 500, detail })
        expect(Explain.explain(error, catalog)).toEqual(
          Explain.explain(transient("ServerError", { status: 500 }), catalog)
        )
      }
    })

    it("what the model said instead of an answer is quoted as the model's", () => {
      const said = Explain.explain(badAnswer("Refused", { status: 200, refusal: "I cannot help with that." }), catalog)
      expect(said.detail).toContain("“I cannot help with that”")
    })
  })

  describe(`${language}: the number of requests`, () => {
    const claims = /retr(y|ies|ied)|requests were|次请求|已重试|重试了|次重试/i

    for (const attempts of [0, 1]) {
      for (const [name, error] of all({ attempts })) {
        it(`${name} after ${attempts}: retries are not mentioned`, () => {
          const said = wordsOf(Explain.explain(error, catalog))
          expect(said).not.toMatch(claims)
        })
      }
    }

    for (const [name, error] of all({ attempts: 11, status: 418 })) {
      it(`${name} after 11: the detail says so`, () => {
        expect(Explain.explain(error, catalog).detail).toMatch(/\b11 requests were made\.|共发送了 11 次请求。/)
      })
    }
  })

  describe(`${language}: a key`, () => {
    // With a memory across restarts a key can be known good before the first call; and one that was accepted in this
    // very run stops being known good when it is refused too often. So no text may say "ever" or "since".
    it("that is not known good is called just that, without saying when it was or whether it ever was", () => {
      expect(wordsOf(Explain.explain(rejected(false), catalog))).not.toMatch(
        /since|ever\b|before|start|yet|启动|从未|曾|以来|首次/i
      )
    })

    it("missing, not known good and known good have three different texts", () => {
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

    it("what the server says of it is in quotation marks", () => {
      const { detail } = Explain.explain(rejected(true, { detail: "Invalid API Key" }), catalog)
      expect(detail).toContain("“Invalid API Key”")
      expect(detail.replace(/“[^”]*”/, "")).not.toMatch(blame)
    })

    it("that looks like one for other hosts: those are named, unless this host has accepted it", () => {
      const hosts = ["one.test", "two.test"]
      const elsewhere = (knownGood: boolean) =>
        new ProviderError.AuthRejected({
          ...{ ...once, status: 401, source, fingerprint, knownGood },
          ...{ hint: "KeyForOtherHost", hosts }
        })
      for (const host of hosts) {
        expect(Explain.explain(elsewhere(false), catalog).detail).toContain(host)
        expect(wordsOf(Explain.explain(elsewhere(true), catalog))).not.toContain(host)
      }
    })

    it("that is refused with a wait: both the advice and the wait are given", () => {
      const retryAfter = Duration.minutes(5)
      for (const knownGood of [true, false]) {
        const facts = { ...once, status: 401, source, fingerprint, knownGood }
        const { action } = Explain.explain(new ProviderError.AuthRejected({ ...facts, retryAfter }), catalog)
        expect(action).toContain(source)
        expect(action).toMatch(/\b5 minutes|5 分钟/)
        expect(action).not.toMatch(/in a minute|一分钟/)
      }
    })

    it("that is blank is not said to be made of white space: it may be empty", () => {
      expect(wordsOf(Explain.explain(missing("Blank"), catalog))).not.toMatch(/white ?space|空白字符/)
    })

    it("is said not to have been sent only if nothing was", () => {
      const nothing = /nothing was sent|没有发送任何请求/
      for (const problem of ProviderError.InvalidRequestProblem.literals) {
        if (problem !== "UntrustedCertificate") {
          expect(Explain.explain(unsendable(problem), catalog).detail).toMatch(nothing)
        }
      }
      for (const problem of ProviderError.KeyProblem.literals) {
        expect(Explain.explain(missing(problem), catalog).detail).toMatch(nothing)
        expect(Explain.explain(missing(problem, { status: 401, attempts: 1 }), catalog).detail).not.toMatch(nothing)
      }
      expect(Explain.explain(rejected(false), catalog).detail).not.toMatch(nothing)
    })

    it("is in no text, even if the server echoes it", async () => {
      const key = await Effect.runPromise(
        Effect.flatMap(Credential.make({ apiKey: Redacted.make(plantedKey), source }), (credential) => credential.read)
      )
      const echo = `{"error":{"message":"no: ${plantedKey}","code":"${plantedKey}"}}`
      for (const status of [400, 401, 402, 500]) {
        const response = { provider: "mimo", status, headers: { "x-request-id": plantedKey }, now: 0 }
        const failure = Classify.classify({ _tag: "Refused", body: echo }, response, { source, key, knownGood: true })
        const error = Failure.make(failure, { attempts: 1, history: [] })
        const said = wordsOf(Explain.explain(error, catalog)) + wordsOf(Explain.retrying(notice(error), catalog))
        for (let i = 0; i + 8 <= plantedKey.length; i++) expect(said).not.toContain(plantedKey.slice(i, i + 8))
      }
    })
  })

  describe(`${language}: the advice`, () => {
    it("names the wait that the server asked for, and gives it for a countdown", () => {
      for (const reason of ProviderError.TransientReason.literals) {
        const retryAfter = Duration.minutes(5)
        const error = new ProviderError.Transient({ ...once, reason, retryAfter })
        const explanation = Explain.explain(error, catalog)
        expect(explanation.retryAfter).toEqual(retryAfter)
        expect(explanation.action).toMatch(/\b5 minutes|5 分钟/)
      }
    })

    it("has no countdown without a wait", () => {
      for (const [, error] of all()) expect(Object.keys(Explain.explain(error, catalog))).not.toContain("retryAfter")
    })

    it("for an answer from the model is never to check the base URL or a proxy", () => {
      for (const reason of ["NotJson", "SchemaMismatch", "Truncated", "Refused", "Filtered"] as const) {
        for (const facts of [
          {},
          about[reason],
          { ...about[reason], tool: "weather", contentType: "application/json" }
        ]) {
          const said = wordsOf(Explain.explain(badAnswer(reason, { status: 200, ...facts }), catalog))
          expect(said).not.toMatch(/URL|proxy|address|network|login|代理|地址|网络|登录/i)
        }
      }
      expect(Explain.explain(badAnswer("NotTheProtocol"), catalog).action).toMatch(/base URL.*(proxy|代理)/)
    })

    it("for an answer that does not fit says where it does not", () => {
      const error = badAnswer("SchemaMismatch", { mismatch: "city: expected string, got 42" })
      expect(Explain.explain(error, catalog).detail).toContain("city: expected string, got 42")
      expect(Explain.explain(badAnswer("NotJson", { tool: "weather" }), catalog).detail).toContain("weather")
    })

    it("for a redirect says where it pointed, and that it would have taken the key along", () => {
      const { detail } = Explain.explain(badAnswer("Redirect", { ...about.Redirect, status: 307 }), catalog)
      expect(detail).toContain("https://elsewhere.test/v1")
      expect(detail).toMatch(/key|密钥/)
      expect(Explain.explain(badAnswer("Redirect", { status: 0 }), catalog).detail).toMatch(/key|密钥/)
    })

    it("for plain http names the option that allows it", () => {
      expect(Explain.explain(unsendable("InsecureBaseUrl"), catalog).action).toContain("allowInsecure")
    })

    it("for a request that was not sent names the host, header, place or option", () => {
      for (const problem of ["ForeignCredential", "BadHeader", "BadSchema", "Unsupported"] as const) {
        expect(wordsOf(Explain.explain(unsendable(problem, { subject: "the-subject" }), catalog))).toContain(
          "the-subject"
        )
      }
    })

    it("for a certificate depends on why it cannot be verified, and is never to turn verification off", () => {
      const words = [...certificates, undefined].map((code) =>
        Explain.explain(unsendable("UntrustedCertificate", code === undefined ? {} : { code }), catalog)
      )
      expect(new Set(words.map(wordsOf)).size).toBe(words.length)
      for (const said of words) {
        expect(said.action).toMatch(/TLS/)
        expect(wordsOf(said)).not.toMatch(
          /NODE_TLS_REJECT|rejectUnauthorized|turn.*off|disable|skip|ignore|insecure|关闭|禁用|跳过|忽略/i
        )
      }
    })

    for (const code of [
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
    ]) {
      it(`for a certificate with ${code}: NODE_EXTRA_CA_CERTS, and a proxy that inspects TLS`, () => {
        const { action, detail } = Explain.explain(unsendable("UntrustedCertificate", { code }), catalog)
        expect(action).toMatch(/NODE_EXTRA_CA_CERTS/)
        expect(action).toMatch(/proxy|代理/)
        expect(detail).toContain(code)
      })
    }

    it("says when a quota resets", () => {
      const resetsAt = DateTime.unsafeMake("2026-05-15T15:00:00Z")
      const { action } = Explain.explain(new ProviderError.QuotaExceeded({ ...once, resetsAt }), catalog)
      expect(action).toMatch(/2026-05-15 15:00:00.*UTC/)
    })

    // `Unreachable` includes connections that were made and then broke, such as an ECONNRESET before the headers.
    it("for a failed connection does not claim that none was made", () => {
      const error = transient("Unreachable", { code: "ECONNRESET" })
      for (const said of [Explain.explain(error, catalog), Explain.retrying(notice(error), catalog)]) {
        expect(wordsOf(said)).toMatch(/connection .*failed|连接.*失败/)
        expect(wordsOf(said)).not.toMatch(/could not be made|no connection|无法/i)
      }
    })

    // A JSON answer may break off in the middle: nothing has reached the caller, so it is retried.
    it("before a retry: an answer that broke off or stalled is not said to have never begun", () => {
      for (const reason of ["StreamInterrupted", "StreamStalled"] as const) {
        const { detail } = Explain.retrying(notice(transient(reason)), catalog)
        expect(detail).not.toMatch(/beg[aiu]n|开始/)
      }
    })

    it("gives a wait in whole units, with a singular for one second", () => {
      const action = (seconds: number) =>
        Explain.explain(
          new ProviderError.Transient({ ...once, reason: "RateLimited", retryAfter: Duration.seconds(seconds) }),
          catalog
        ).action
      expect([0.2, 1, 1.2, 90, 119.7].map(action)).toEqual(
        language === "en"
          ? [
              "Try again in 1 second.",
              "Try again in 1 second.",
              "Try again in 2 seconds.",
              "Try again in 90 seconds.",
              "Try again in 2 minutes."
            ]
          : ["请在 1 秒后重试。", "请在 1 秒后重试。", "请在 2 秒后重试。", "请在 90 秒后重试。", "请在 2 分钟后重试。"]
      )
    })

    it("says that an answer broke off if it did, and only then", () => {
      const brokeOff = /already arrived|已经到达/
      for (const [, error] of all({ emitted: true })) expect(Explain.explain(error, catalog).detail).toMatch(brokeOff)
      for (const [, error] of all()) expect(Explain.explain(error, catalog).detail).not.toMatch(brokeOff)
    })
  })
}

describe("each language is itself", () => {
  const explanations = (catalog: Catalog) => [
    ...everything(catalog).map(([, , said]) => said),
    Explain.explain(
      new ProviderError.Transient({ ...once, reason: "RateLimited", retryAfter: Duration.hours(3) }),
      catalog
    )
  ]

  it("en has nothing Chinese", () => {
    for (const explanation of explanations(en)) expect(wordsOf(explanation)).not.toMatch(/[\p{Script=Han}，。：（）]/u)
  })

  /** Names stay as they are, and so does what is quoted. */
  const names = new RegExp(
    [
      ...["MiMo", "API", "HTTP", "HTTPS", "TLS", "URL", "JSON", "CA", "PEM", "token", "Unicode", "BigInt"],
      ...["base URL", "baseUrl", "allowInsecure", "true", "maxTokens", "headers", "model", "schema", "https", "http"],
      ...["NODE_EXTRA_CA_CERTS", "the-subject", "text/html", source, fingerprint, ...certificates]
    ]
      .sort((a, b) => b.length - a.length)
      .map((name) => `(?<![\\w-])${name}(?![\\w-])`)
      .join("|"),
    "g"
  )

  it("zh has no English except names and quotations", () => {
    for (const [name, , said] of everything(zh)) {
      const rest = wordsOf(said)
        .replace(/“[^”]*”/g, "")
        .replace(/https?:[\w.:/]+/g, "")
        .replace(names, "")
      expect([name, rest]).toEqual([name, expect.not.stringMatching(/[a-z]/i)])
      expect(said.detail).toMatch(/\p{Script=Han}/u)
    }
  })

  it("zh ends its sentences in its own way, with no space after them", () => {
    for (const explanation of explanations(zh)) expect(wordsOf(explanation)).not.toMatch(/[。，] |\p{Script=Han}: /u)
  })
})

describe("a retry that is about to happen", () => {
  it("says which, of how many and how soon, and then why", () => {
    expect(Explain.retrying(notice(rejected(true)))).toEqual({
      title: "Retrying 1 of 2 in 0.6 s",
      detail: "The gateway refused the key (HTTP 401), although it has worked before.",
      action: "No action is needed: the call continues on its own.",
      retryAfter: Duration.millis(625)
    })
    expect(Explain.retrying(notice(rejected(true)), zh)).toMatchObject({
      title: "0.6 秒后进行第 1 次重试（共 2 次）",
      detail: "网关拒绝了曾经可用的密钥（HTTP 401）。"
    })
  })

  it("does not repeat its title in the detail", () => {
    for (const catalog of [en, zh]) {
      for (const [, error] of all({ status: 418 })) {
        const { detail, title } = Explain.retrying(notice(error), catalog)
        expect(detail).not.toContain(title)
        expect(detail).not.toMatch(/Retrying|in 0\.6 s|秒后|次重试/)
      }
    }
  })

  it("names the reason of each transient error", () => {
    for (const catalog of [en, zh]) {
      const details = ProviderError.TransientReason.literals.map(
        (reason) => Explain.retrying(notice(transient(reason)), catalog).detail
      )
      expect(new Set(details).size).toBe(details.length)
      expect(Explain.retrying(notice(transient("Overloaded", { status: 503 })), catalog).detail).toContain("HTTP 503")
    }
  })

  it("does not claim that a key worked before if it is not known good", () => {
    expect(Explain.retrying(notice(rejected(false))).detail).not.toMatch(/before/)
    expect(Explain.retrying(notice(rejected(false)), zh).detail).not.toMatch(/曾/)
  })

  it("counts down: words and value are the time that remains", () => {
    const about = notice(transient("Overloaded"))
    const at = (remaining: Duration.DurationInput) =>
      Explain.retrying({ ...about, delay: Duration.seconds(9) }, en, remaining)
    expect(
      [9000, "5 seconds", 400, 40, 0, -5].map((remaining) => at(remaining as Duration.DurationInput).title)
    ).toEqual([
      "Retrying 1 of 2 in 9 s",
      "Retrying 1 of 2 in 5 s",
      "Retrying 1 of 2 in 0.4 s",
      "Retrying 1 of 2 now",
      "Retrying 1 of 2 now",
      "Retrying 1 of 2 now"
    ])
    expect(at("5 seconds").retryAfter).toEqual(Duration.seconds(5))
    expect(at(0).retryAfter).toEqual(Duration.zero)
    expect(Explain.retrying(about, zh, 0).title).toBe("正在进行第 1 次重试（共 2 次）")
  })

  it("leaves out the number of retries if the policy does not say it", () => {
    expect(Explain.retrying({ ...notice(transient("ServerError")), attempt: 4, budget: undefined }).title).toBe(
      "Retrying in 0.6 s (retry 4)"
    )
  })

  for (const [delay, expected] of [
    ["50 millis", "0.1 s"],
    ["1500 millis", "1.5 s"],
    ["2 seconds", "2 s"],
    ["9960 millis", "10 s"],
    ["15249 millis", "15 s"],
    ["90 seconds", "90 s"],
    ["5 minutes", "5 minutes"],
    ["90 minutes", "90 minutes"],
    ["3 hours", "3 hours"],
    ["72 hours", "3 days"]
  ] as const) {
    it(`a wait of ${delay} is ${expected}`, () => {
      const title = Explain.retrying({ ...notice(transient("ServerError")), delay: Duration.decode(delay) }).title
      expect(title).toBe(`Retrying 1 of 2 in ${expected}`)
    })
  }
})

describe("a catalog", () => {
  it("in English is the default", () => {
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
    const { Redirect: _redirect, ...answers } = en.InvalidResponse
    const { BadHeader: _header, ...unsent } = en.problem
    const { idle: _idle, ...clocks } = en.clock
    const { SelfSigned: _selfSigned, ...certificates } = en.certificate
    const { Conflict: _conflict, ...because } = en.because
    // @ts-expect-error a reason is missing
    const fifth: Catalog = { ...en, InvalidResponse: answers }
    // @ts-expect-error a problem is missing
    const sixth: Catalog = { ...en, problem: unsent }
    // @ts-expect-error a clock is missing
    const seventh: Catalog = { ...en, clock: clocks }
    // @ts-expect-error a certificate is missing
    const eighth: Catalog = { ...en, certificate: certificates }
    // @ts-expect-error a reason to retry is missing
    const ninth: Catalog = { ...en, because }
    expect([first, second, third, fourth, fifth, sixth, seventh, eighth, ninth]).toHaveLength(9)
  })
})
