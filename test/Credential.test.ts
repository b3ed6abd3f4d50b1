/** A provider's key: how it is read, what is remembered of it, and that no part of it is shown. */
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import { HttpClientRequest } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Redacted, Ref, Stream, TestClock } from "effect"
import * as FastCheck from "effect/FastCheck"
import * as Credential from "../src/Credential.js"
import * as Key from "../src/credential/Key.js"
import { KnownGood, MiMo } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import * as Cost from "./Cost.js"
import * as Effort from "./Effort.js"
import * as Wall from "./Wall.js"
import { hello, plantedKey, whole } from "./Wire.js"

const source = "MIMO_API_KEY"

const make = (apiKey: string) => Credential.make({ apiKey: Redacted.make(apiKey), source })

/** A credential whose key can be changed, as a key that rotates. */
const rotating = (first: string) =>
  Effect.gen(function* () {
    const present = yield* Ref.make(first)
    const credential = yield* Credential.make({ apiKey: Effect.map(Ref.get(present), Redacted.make), source })
    return { credential, change: (next: string) => Ref.set(present, next) }
  })

/** The current key. There must be one. */
const keyOf = (credential: Credential.Credential): Effect.Effect<Key.Key> =>
  Effect.flatMap(credential.read, (key) =>
    key._tag === "Key" ? Effect.succeed(key) : Effect.dieMessage(`no key: ${key.problem}`)
  )

const isKnownGood = (credential: Credential.Credential) => Ref.get(credential.knownGood)

const request = HttpClientRequest.get("https://gateway.test/v1/models")

/** The request with the key in it, to the host that the key is for. */
const authorized = (key: Key.Key, scheme: Key.Scheme): HttpClientRequest.HttpClientRequest => {
  const sent = key.authorize(request, { scheme, origin: "https://gateway.test", allowInsecure: false })
  if (Key.isRefusal(sent)) throw new Error(sent.problem)
  return sent
}

describe("reading", () => {
  it.effect("a key is sent without the white space around it", () =>
    Effect.gen(function* () {
      const key = yield* keyOf(yield* make(`\n  ${plantedKey}\t\r\n`))
      expect(authorized(key, Credential.bearer).headers["authorization"]).toBe(`Bearer ${plantedKey}`)
    })
  )

  for (const [title, apiKey, problem] of [
    ["an empty key is blank", "", "Blank"],
    ["white space is blank", " \n\t ", "Blank"],
    ["a no-break space is blank", "\u00a0", "Blank"],
    ["a line break inside cannot be sent", "sk-abc\ndef", "Unsendable"],
    ["a space inside cannot be sent", "sk-abc def", "Unsendable"],
    ["an ellipsis, as a page shows a key cut short, cannot be sent", "sk-abc…xyz", "Unsendable"],
    ["letters of another script cannot be sent", "sk-ключ", "Unsendable"],
    ["a control character cannot be sent", "sk-\u0000abc", "Unsendable"]
  ] as const) {
    it.effect(title, () =>
      Effect.gen(function* () {
        const credential = yield* make(apiKey)
        expect(yield* credential.read).toEqual({ _tag: "NoKey", problem })
        expect(yield* credential.fingerprint).toBeUndefined()
      })
    )
  }

  it.effect("a missing key is Absent", () =>
    Effect.gen(function* () {
      const credential = yield* Credential.make({ source })
      expect(yield* credential.read).toEqual({ _tag: "NoKey", problem: "Absent" })
      expect(yield* credential.fingerprint).toBeUndefined()
      expect(credential.source).toBe(source)
    })
  )

  it.effect("an effect that fails is Unreadable, and is run again the next time", () =>
    Effect.gen(function* () {
      const broken = yield* Ref.make(true)
      const apiKey = Effect.flatMap(Ref.get(broken), (broken) =>
        broken ? Effect.fail("the vault is sealed") : Effect.succeed(Redacted.make(plantedKey))
      )
      const credential = yield* Credential.make({ apiKey, source })
      expect(yield* credential.read).toEqual({ _tag: "NoKey", problem: "Unreadable" })
      yield* Ref.set(broken, false)
      expect(yield* credential.read).toMatchObject({ _tag: "Key" })
    })
  )

  it.effect("an effect is run for every read (O14, O15)", () =>
    Effect.gen(function* () {
      const reads = yield* Ref.make(0)
      const apiKey = Effect.map(
        Ref.updateAndGet(reads, (n) => n + 1),
        (n) => Redacted.make(`key-number-${n}`)
      )
      const credential = yield* Credential.make({ apiKey, source })
      for (const n of [1, 2, 3]) {
        const key = yield* keyOf(credential)
        expect(authorized(key, Credential.header("api-key")).headers["api-key"]).toBe(`key-number-${n}`)
      }
    })
  )
})

describe("authorizing", () => {
  it.effect("with Bearer, or with a named header (O9)", () =>
    Effect.gen(function* () {
      const key = yield* keyOf(yield* make(plantedKey))
      expect({ ...authorized(key, Credential.bearer).headers }).toEqual({
        authorization: `Bearer ${plantedKey}`
      })
      expect({ ...authorized(key, Credential.header("x-api-key")).headers }).toEqual({ "x-api-key": plantedKey })
    })
  )
})

describe("the fingerprint", () => {
  it.effect.prop(
    "is the first 8 hex digits of the key's SHA-256",
    [FastCheck.stringMatching(/^[\x21-\x7e]{1,80}$/)],
    ([secret]) =>
      Effect.gen(function* () {
        const credential = yield* make(secret)
        const expected = createHash("sha256").update(secret).digest("hex").slice(0, 8)
        expect(yield* credential.fingerprint).toBe(expected)
        expect((yield* keyOf(credential)).fingerprint).toBe(expected)
      })
  )

  it.effect("is that of the current key", () =>
    Effect.gen(function* () {
      const { change, credential } = yield* rotating("first-key")
      const first = yield* credential.fingerprint
      yield* change("second-key")
      expect(yield* credential.fingerprint).not.toBe(first)
    })
  )
})

describe("the flag", () => {
  it.effect("is false until the key is accepted, and true from then on", () =>
    Effect.gen(function* () {
      const credential = yield* make(plantedKey)
      expect(yield* isKnownGood(credential)).toBe(false)
      yield* credential.accepted(yield* keyOf(credential))
      expect(yield* isKnownGood(credential)).toBe(true)
      yield* keyOf(credential)
      expect(yield* isKnownGood(credential)).toBe(true)
    })
  )

  it.effect("starts again at false when the key has changed", () =>
    Effect.gen(function* () {
      const { change, credential } = yield* rotating("first-key")
      yield* credential.accepted(yield* keyOf(credential))
      yield* change("second-key")
      yield* credential.read
      expect(yield* isKnownGood(credential)).toBe(false)
      yield* change("first-key")
      yield* credential.read
      expect(yield* isKnownGood(credential)).toBe(false)
    })
  )

  it.effect("starts again at false when the key is gone", () =>
    Effect.gen(function* () {
      const { change, credential } = yield* rotating("first-key")
      yield* credential.accepted(yield* keyOf(credential))
      yield* change("")
      expect(yield* credential.read).toMatchObject({ problem: "Blank" })
      expect(yield* isKnownGood(credential)).toBe(false)
    })
  )

  it.effect("stays if the key cannot be read once and is the same afterwards", () =>
    Effect.gen(function* () {
      const broken = yield* Ref.make(false)
      const apiKey = Effect.flatMap(Ref.get(broken), (broken) =>
        broken ? Effect.fail("sealed") : Effect.succeed(Redacted.make(plantedKey))
      )
      const credential = yield* Credential.make({ apiKey, source })
      yield* credential.accepted(yield* keyOf(credential))
      yield* Ref.set(broken, true)
      yield* credential.read
      yield* Ref.set(broken, false)
      yield* credential.read
      expect(yield* isKnownGood(credential)).toBe(true)
    })
  )

  it.effect("an answer to the old key says nothing about the new one (O99)", () =>
    Effect.gen(function* () {
      const { change, credential } = yield* rotating("first-key")
      const old = yield* keyOf(credential)
      yield* change("second-key")
      const present = yield* keyOf(credential)
      yield* credential.accepted(old)
      expect(yield* isKnownGood(credential)).toBe(false)
      yield* credential.accepted(present)
      for (let call = 0; call < 3; call++) yield* credential.exhausted(old, { turn: call + 1 })
      expect(yield* isKnownGood(credential)).toBe(true)
    })
  )

  it.effect("is false after 3 exhausted calls in a row, not after 2", () =>
    Effect.gen(function* () {
      const credential = yield* make(plantedKey)
      const key = yield* keyOf(credential)
      yield* credential.accepted(key)
      yield* credential.exhausted(key, { turn: 1 })
      yield* credential.exhausted(key, { turn: 1 })
      expect(yield* isKnownGood(credential)).toBe(true)
      yield* credential.exhausted(key, { turn: 1 })
      expect(yield* isKnownGood(credential)).toBe(false)
    })
  )

  it.effect("one success between them starts the count again", () =>
    Effect.gen(function* () {
      const credential = yield* make(plantedKey)
      const key = yield* keyOf(credential)
      yield* credential.accepted(key)
      for (let round = 0; round < 4; round++) {
        yield* credential.accepted(key)
        yield* credential.exhausted(key, { turn: 1 })
        yield* credential.exhausted(key, { turn: 1 })
        expect(yield* isKnownGood(credential)).toBe(true)
      }
    })
  )

  it.effect("one success after them makes it true again", () =>
    Effect.gen(function* () {
      const credential = yield* make(plantedKey)
      const key = yield* keyOf(credential)
      for (let call = 0; call < 3; call++) yield* credential.exhausted(key, { turn: call + 1 })
      yield* credential.accepted(key)
      expect(yield* isKnownGood(credential)).toBe(true)
    })
  )

  it.scoped("can be followed: each change is reported once, and nothing else is", () =>
    Effect.gen(function* () {
      const { change, credential } = yield* rotating("first-key")
      const key = yield* keyOf(credential)
      const told = yield* Queue.unbounded<boolean>()
      yield* Effect.forkScoped(Stream.runForEach(credential.knownGood.changes, (good) => Queue.offer(told, good)))
      expect(yield* Queue.take(told)).toBe(false)
      yield* credential.accepted(key)
      yield* credential.accepted(key)
      yield* credential.read
      yield* change("second-key")
      yield* credential.read
      expect([yield* Queue.take(told), yield* Queue.take(told)]).toEqual([true, false])
      expect(yield* Queue.size(told)).toBe(0)
    })
  )
})

describe("the host", () => {
  it.effect("that first uses a credential owns it", () =>
    Effect.gen(function* () {
      const credential = yield* make(plantedKey)
      expect(yield* credential.bind("https://a.test")).toBe("https://a.test")
      expect(yield* credential.bind("https://b.test")).toBe("https://a.test")
      expect(yield* credential.bind("https://a.test")).toBe("https://a.test")
    })
  )

  it.effect("of one credential does not bind another", () =>
    Effect.gen(function* () {
      yield* (yield* make(plantedKey)).bind("https://a.test")
      expect(yield* (yield* make(plantedKey)).bind("https://b.test")).toBe("https://b.test")
    })
  )
})

describe("a request that is refused", () => {
  const to = (url: string) => HttpClientRequest.get(url)
  const terms = { scheme: Credential.bearer, allowInsecure: false }

  for (const [title, url] of [
    ["plain http to another machine", "http://a.test/v1"],
    ["an address that is none", "a.test/v1"]
  ] as const) {
    it.effect(`${title} does not own the credential`, () =>
      Effect.gen(function* () {
        const credential = yield* make(plantedKey)
        const key = yield* keyOf(credential)
        expect(credential.authorize(to(url), key, terms)).toMatchObject({ _tag: "Refusal" })
        const sent = credential.authorize(to("https://b.test/v1"), key, terms)
        expect(Key.isRefusal(sent)).toBe(false)
        expect(credential.authorize(to("https://a.test/v1"), key, terms)).toMatchObject({
          problem: "ForeignCredential",
          subject: "https://b.test"
        })
      })
    )
  }
})

describe("a reader of the key", () => {
  const wiped = Redacted.make(plantedKey)
  Redacted.unsafeWipe(wiped)
  // What a caller without types may pass.
  const odd = (value: unknown): Effect.Effect<Redacted.Redacted> => Effect.succeed(value as Redacted.Redacted)
  const readers: ReadonlyArray<readonly [title: string, reader: Credential.Options["apiKey"]]> = [
    ["that fails", Effect.fail("the vault is sealed")],
    ["that dies", Effect.die("broken")],
    ["that throws", Effect.sync(() => JSON.parse("{"))],
    ["whose promise is rejected", Effect.promise(() => Promise.reject(new Error(plantedKey)))],
    ["that is interrupted", Effect.interrupt],
    ["of nothing", odd(undefined)],
    ["of null", odd(null)],
    ["of plain text", odd(plantedKey)],
    ["of an object that is none", odd({ [Symbol.for("effect/Redacted")]: {} })],
    ["of Redacted that holds undefined", odd(Redacted.make(undefined))],
    ["of Redacted that holds a number", odd(Redacted.make(7))],
    ["of Redacted that holds an object", odd(Redacted.make({ key: plantedKey }))],
    ["of Redacted that was wiped", Effect.succeed(wiped)],
    ["that is no effect, but Redacted that holds undefined", Redacted.make(undefined) as never],
    ["that is no effect, but Redacted that was wiped", wiped],
    ["that is no effect, but plain text", plantedKey as never],
    ["that is no effect, but a promise", Promise.resolve(Redacted.make(plantedKey)) as never]
  ]
  for (const [title, apiKey] of readers) {
    it.effect(`${title} is AuthMissing, whose problem is Unreadable, and sends nothing`, () =>
      Effect.gen(function* () {
        const provider = yield* MiMo.make({ apiKey })
        for (const call of [provider.complete(hello), Stream.runDrain(provider.stream(hello)), provider.verify]) {
          const exit = yield* Effect.exit(call)
          expect(exit).toMatchObject({
            cause: { _tag: "Fail", error: { _tag: "AuthMissing", problem: "Unreadable", attempts: 0 } }
          })
          expect(inspect(exit, { depth: 9 }) + JSON.stringify(exit)).not.toContain(plantedKey.slice(0, 8))
        }
        expect(yield* Gateway.requests).toEqual([])
      }).pipe(Effect.provide(Gateway.layer([])))
    )
  }

  it.effect("that hangs holds up only its own call, and ends with it", () =>
    Effect.gen(function* () {
      let hangs = true
      const apiKey = Effect.suspend(() => (hangs ? Effect.never : Effect.succeed(Redacted.make(plantedKey))))
      const provider = yield* MiMo.make({ apiKey, concurrency: 1 })
      const hanging = yield* Effect.fork(provider.complete(hello))
      yield* TestClock.adjust("1 hour")
      hangs = false
      expect((yield* provider.complete(hello)).text).toBe("Hello, world")
      yield* Fiber.interrupt(hanging)
      expect((yield* Gateway.requests).length).toBe(1)
    }).pipe(Effect.provide(Gateway.layer([whole])))
  )

  it.effect("that gives a new key each time: each call is sent with one, and each key has its own flag", () =>
    Effect.gen(function* () {
      let reads = 0
      const provider = yield* MiMo.make({ apiKey: Effect.sync(() => Redacted.make(`tp-s-key-number-${reads++}`)) })
      for (let call = 0; call < 5; call++) yield* provider.complete(hello)
      const keys = (yield* Gateway.requests).map(({ headers }) => headers["api-key"])
      expect(keys).toEqual([0, 1, 2, 3, 4].map((n) => `tp-s-key-number-${n}`))
    }).pipe(Effect.provide(Gateway.layer(() => whole)))
  )
})

describe("the memory", () => {
  it.effect("is told once a day that the key is still accepted, even if the clock is set back", () =>
    Effect.gen(function* () {
      const wall = yield* Wall.make
      let told = 0
      const memory: KnownGood.Service = {
        recall: () => Effect.succeed(false),
        remember: () =>
          Effect.sync(() => {
            told += 1
          }),
        forget: () => Effect.void
      }
      yield* Effect.gen(function* () {
        const credential = yield* make(plantedKey)
        const accepted = Effect.zipRight(credential.accepted(yield* keyOf(credential)), Effect.yieldNow())
        yield* accepted
        wall.setBack(1000 * 60 * 60 * 24 * 365)
        for (const expected of [1, 1, 2, 2, 3]) {
          yield* accepted
          expect(told).toBe(expected)
          yield* TestClock.adjust("12 hours")
        }
      }).pipe(Effect.provideService(KnownGood.KnownGood, memory), Effect.withClock(wall.clock))
    })
  )
})

describe("the key stays inside", () => {
  it.effect("no way to print a credential or a key shows it", () =>
    Effect.gen(function* () {
      const credential = yield* make(plantedKey)
      const key = yield* keyOf(credential)
      for (const value of [credential, key]) {
        const printed = [JSON.stringify(value), String(value), inspect(value, { depth: 9, showHidden: true })]
        expect(printed.join("\n")).not.toContain(plantedKey.slice(0, 8))
      }
    })
  )
})

describe("scrubbing", () => {
  /** What a server may write, without the key. */
  const scrub = (text: string, secret = plantedKey) =>
    Effect.map(Effect.flatMap(make(secret), keyOf), (key) => Key.scrub(key)(text))

  for (const [title, text, expected] of [
    ["the whole key", `bad key ${plantedKey}.`, "bad key [redacted]."],
    ["the key twice", `${plantedKey} ${plantedKey}`, "[redacted] [redacted]"],
    ["the key in capitals", `bad key ${plantedKey.toUpperCase()}.`, "bad key [redacted]."],
    ["the key in small letters", `bad key ${plantedKey.toLowerCase()}.`, "bad key [redacted]."],
    ["its beginning", `it starts with ${plantedKey.slice(0, 12)}…`, "it starts with [redacted]…"],
    ["its end", `it ends with ...${plantedKey.slice(-8)}`, "it ends with ...[redacted]"],
    ["a piece of 8 from its middle", `saw <${plantedKey.slice(10, 18)}>`, "saw <[redacted]>"],
    ["the key in a URL", `https://h.test/?key=${plantedKey}&x=1`, "https://h.test/?key=[redacted]&x=1"],
    ["the key inside a word", `xx${plantedKey}yy`, "xx[redacted]yy"],
    ["the tail that DeepSeek shows", "Your api key: ****abcd is invalid", "Your api key: [redacted] is invalid"],
    [
      "head and tail, as OpenAI shows them",
      "Incorrect API key provided: sk-abc***xyz.",
      "Incorrect API key provided: [redacted]"
    ],
    [
      "the head that xAI shows",
      "Incorrect API key provided: xa***. You",
      "Incorrect API key provided: [redacted]. You"
    ],
    ["stars alone", "key ******** refused", "key [redacted] refused"],
    ["another key", "sk-proj-1234567890 and tp-abcdef123456", "[redacted] and [redacted]"],
    ["a bearer token, whoever's it is", "authorization: Bearer abcdef0123456789==", "authorization: Bearer [redacted]"],
    ["7 characters of the key are left", `saw <${plantedKey.slice(10, 17)}>`, `saw <${plantedKey.slice(10, 17)}>`],
    ["ordinary words are left", "The model `x` does not exist: 2 * 3 ** 4", "The model `x` does not exist: 2 * 3 ** 4"],
    ["nothing", "", ""]
  ] as const) {
    it.effect(title, () =>
      Effect.gen(function* () {
        expect(yield* scrub(text)).toBe(expected)
      })
    )
  }

  it("what only looks like a key is removed even if no key is configured", () => {
    expect(Key.scrub({ _tag: "NoKey", problem: "Absent" })("Bearer abcdef012345 sk-12345678 ****1234")).toBe(
      "Bearer [redacted] [redacted] [redacted]"
    )
  })

  it.effect("a key of fewer than 8 characters is removed completely", () =>
    Effect.gen(function* () {
      expect(yield* scrub("the key a1B2c3 and a1B2c", "a1B2c3")).toBe("the key [redacted] and a1B2c")
    })
  )

  it.effect("a letter that becomes longer in lower case does not shift what is removed", () =>
    Effect.gen(function* () {
      // "İ" is one character, and two in lower case.
      const secret = "0f8a6c2e9b174d53"
      expect(yield* scrub(`${"İ".repeat(20)} ${secret}`, secret)).toBe(`${"İ".repeat(20)} [redacted]`)
    })
  )

  it("costs little even for a long text of one word, such as a picture in base64", () => {
    const scrubbed = (length: number) => () => {
      const text = "a".repeat(length)
      expect(Key.scrub({ _tag: "NoKey", problem: "Absent" })(text)).toBe(text)
    }
    // If each letter started a new search, four times the length would take 16 times as long.
    expect(Cost.growth(scrubbed(60_000), scrubbed(240_000))).toBeLessThan(8)
  })

  const keys = FastCheck.stringMatching(/^[\x21-\x7e]{8,64}$/)
  const echoes = FastCheck.constantFrom(
    (key: string) => key,
    (key: string) => key.toUpperCase(),
    (key: string) => key.toLowerCase(),
    (key: string) => key.slice(0, 8),
    (key: string) => key.slice(-8),
    (key: string) => key.slice(1),
    (key: string) => key + key
  )
  const around = FastCheck.oneof(
    FastCheck.string({ unit: "binary" }),
    FastCheck.constantFrom("Bearer ", "sk-", "***", "[redacted]", "key=", "İ", "İİİİİİİİİ")
  )

  it.effect.prop(
    "no 8 characters of the key survive, whatever the key and the text around it",
    [keys, echoes, around, around, around],
    ([secret, echo, before, between, after]) =>
      Effect.gen(function* () {
        const text = before + echo(secret) + between + echo(secret) + after
        const scrubbed = (yield* scrub(text, secret)).toLowerCase()
        // The mask is ours, not the server's; nobody has a key that spells it.
        const rest = scrubbed.replaceAll("[redacted]", "\n")
        for (let i = 0; i + 8 <= secret.length; i++) {
          expect(rest).not.toContain(secret.slice(i, i + 8).toLowerCase())
        }
      }),
    { fastCheck: { numRuns: Effort.runs(100) } }
  )
})
