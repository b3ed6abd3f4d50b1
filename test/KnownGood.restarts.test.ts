/** The memory of accepted keys: what a program knows about its key after a restart, whatever the store does. */
import { FileSystem, KeyValueStore } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Logger, Redacted, Ref, TestClock } from "effect"
import * as Credential from "../src/Credential.js"
import { KnownGood, MiMo, type Provider } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { settled } from "./Caller.js"
import { eventually, quick } from "./Loopback.js"
import * as Store from "./Store.js"
import { backoff, failed, hello, patiently, plantedKey, refused, times, whole } from "./Wire.js"

interface Setup {
  readonly key?: string
  readonly host?: string
  readonly memory?: KnownGood.Options
  readonly policy?: Provider.Options["policy"]
  /** An effect reads the key, which is therefore unknown when the layer is built; so the first call asks the memory. */
  readonly readByEffect?: true
}

/** A program that starts: a provider with a store, at a scripted gateway. Each call of this is a restart. */
const started = (store: KeyValueStore.KeyValueStore, script: Gateway.Script, setup: Setup = {}) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(Gateway.layer(script))
    const key = Redacted.make(setup.key ?? plantedKey)
    const provider = yield* MiMo.make({
      apiKey: setup.readByEffect ? Effect.sync(() => key) : key,
      baseUrl: setup.host,
      region: "sgp",
      policy: setup.policy
    }).pipe(
      Effect.provide(KnownGood.layerKeyValueStore(setup.memory)),
      Effect.provideService(KeyValueStore.KeyValueStore, store),
      Effect.provide(context)
    )
    const requests = Effect.map(Context.get(context, Gateway.Gateway).requests, ({ length }) => length)
    return { provider, requests, ask: provider.complete(hello), knownGood: Ref.get(provider.credential.knownGood) }
  })

/** A program that has its key accepted once, and ends. */
const accepted = (store: KeyValueStore.KeyValueStore, setup?: Setup) =>
  Effect.gen(function* () {
    const { ask } = yield* started(store, times(9, whole), setup)
    yield* ask
    yield* settled
  })

/** How many requests the first call makes if all are refused: 3 if the key is remembered, 1 if not. */
const requestsWhenRefused = (store: KeyValueStore.KeyValueStore, setup?: Setup) =>
  Effect.gen(function* () {
    const { ask, requests } = yield* started(store, times(9, refused()), setup)
    yield* Effect.flip(patiently(ask))
    return yield* requests
  })

const days = (count: number) => Duration.toMillis(Duration.days(count))

/** The log lines of an effect, beside its result. */
const logged = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
    const value = yield* Effect.provide(self, Logger.replace(Logger.defaultLogger, logger))
    return { value, lines }
  })

describe("after a restart", () => {
  it.scoped("the first request gets the auth retries", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      const { ask, knownGood, provider, requests } = yield* started(store, [refused(), refused(), whole])
      expect((yield* patiently(ask)).text).toBe("Hello, world")
      expect(yield* requests).toBe(3)
      expect(yield* knownGood).toBe(true)
      expect(yield* provider.credential.fingerprint).toMatch(/^[0-9a-f]{8}$/)
    })
  )

  it.scoped("the first request gets them on KeyValueStore.layerMemory, too", () =>
    Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(KeyValueStore.layerMemory), KeyValueStore.KeyValueStore)
      yield* accepted(store)
      expect(yield* requestsWhenRefused(store)).toBe(3)
    })
  )

  it.scopedLive("so it has on KeyValueStore.layerFileSystem, whose files show no key", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      // Each start opens the directory anew.
      const open = Effect.map(Layer.build(KeyValueStore.layerFileSystem(directory)), (context) =>
        Context.get(context, KeyValueStore.KeyValueStore)
      )
      yield* (yield* started(yield* open, [whole])).ask
      expect(yield* eventually(Effect.map(files.readDirectory(directory), ({ length }) => length === 2))).toBe(true)
      const again = yield* started(yield* open, times(9, refused()), { policy: quick })
      yield* Effect.flip(again.ask)
      expect(yield* again.requests).toBe(3)
      const names = yield* files.readDirectory(directory)
      expect(names.length).toBe(2)
      for (const name of names)
        expect(name + (yield* files.readFileString(`${directory}/${name}`))).not.toContain("tp-")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("the first request gets none without a memory", () =>
    Effect.gen(function* () {
      expect(yield* requestsWhenRefused(Store.make().store)).toBe(1)
    })
  )

  it.scoped("another key is another entry", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      expect(yield* requestsWhenRefused(store, { key: `${plantedKey}x` })).toBe(1)
      expect(yield* requestsWhenRefused(store)).toBe(3)
    })
  )

  for (const [what, host] of [
    ["another host", "https://other.test/v1"],
    ["another port", "https://token-plan-sgp.xiaomimimo.com:8443/v1"],
    ["another region", "https://token-plan-cn.xiaomimimo.com/v1"]
  ] as const) {
    it.scoped(`${what} is another entry`, () =>
      Effect.gen(function* () {
        const { store } = Store.make()
        yield* accepted(store)
        expect(yield* requestsWhenRefused(store, { host })).toBe(1)
      })
    )
  }

  it.scoped("another path of the same host is the same entry", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      expect(yield* requestsWhenRefused(store, { host: "https://token-plan-sgp.xiaomimimo.com/other/v1" })).toBe(3)
    })
  )

  it.scoped("a key that used up its auth retries three times in a row is forgotten", () =>
    Effect.gen(function* () {
      const { entries, store } = Store.make()
      yield* accepted(store)
      expect(entries.size).toBe(2)
      const { ask } = yield* started(store, times(20, refused()))
      for (let call = 0; call < 3; call++) yield* Effect.flip(patiently(ask))
      expect(Array.from(entries.keys())).toEqual(["knowngood/salt"])
      expect(yield* requestsWhenRefused(store)).toBe(1)
    })
  )
})

describe("the flag starts as the memory says", () => {
  it.scoped("when the layer is built, before any call", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      const { knownGood, requests } = yield* started(store, [])
      expect([yield* knownGood, yield* requests]).toEqual([true, 0])
    })
  )

  it.scoped("at false for a key that was never accepted", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      expect(yield* (yield* started(store, [], { key: `${plantedKey}x` })).knownGood).toBe(false)
    })
  )

  it.scoped("at the first call, if an effect reads the key", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      const { ask, knownGood } = yield* started(store, [failed(400)], { readByEffect: true })
      expect(yield* knownGood).toBe(false)
      yield* Effect.flip(ask)
      expect(yield* knownGood).toBe(true)
    })
  )

  it.scoped("while a store that hangs holds up the layer for a second at most", () =>
    Effect.gen(function* () {
      const building = yield* Effect.fork(started(Store.make(() => Effect.never).store, [whole]))
      yield* TestClock.adjust(999)
      yield* settled
      expect((yield* Fiber.poll(building))._tag).toBe("None")
      yield* TestClock.adjust(1)
      const { ask, knownGood } = yield* Fiber.join(building)
      expect(yield* knownGood).toBe(false)
      expect((yield* ask).text).toBe("Hello, world")
    })
  )
})

describe("the time for which a key is remembered", () => {
  for (const [title, memory, waited, requests] of [
    ["30 days are remembered", {}, days(30), 3],
    ["a millisecond more is not", {}, days(30) + 1, 1],
    ["a TTL of an hour is remembered for an hour", { ttl: "1 hour" }, 3_600_000, 3],
    ["and no longer", { ttl: "1 hour" }, 3_600_001, 1]
  ] as const) {
    it.scoped(title, () =>
      Effect.gen(function* () {
        const { store } = Store.make()
        yield* accepted(store, { memory })
        yield* TestClock.adjust(waited)
        expect(yield* requestsWhenRefused(store, { memory })).toBe(requests)
      })
    )
  }

  it.scoped("counts from the last start at which the key was accepted, not from the first", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      yield* accepted(store)
      yield* TestClock.adjust(days(20))
      yield* accepted(store)
      yield* TestClock.adjust(days(20))
      expect(yield* requestsWhenRefused(store)).toBe(3)
    })
  )
})

describe("an entry that is corrupt", () => {
  for (const text of ["", "soon", "-1", "NaN", "1e999", "1.5", "{}", "9".repeat(400), "9999999999999", "\u0000"]) {
    it.scoped(`${JSON.stringify(text.slice(0, 20))} is ignored, and replaced`, () =>
      Effect.gen(function* () {
        const { entries, store } = Store.make()
        yield* accepted(store)
        const name = Array.from(entries.keys()).find((key) => key !== "knowngood/salt") ?? ""
        entries.set(name, text)
        expect(yield* requestsWhenRefused(store)).toBe(1)
        yield* accepted(store)
        expect(yield* requestsWhenRefused(store)).toBe(3)
      })
    )
  }

  for (const salt of ["", "salt", `${"0".repeat(31)} 0`, `${"Z".repeat(32)} 0`, "0".repeat(32), "\u0000"]) {
    it.scoped(`a salt of ${JSON.stringify(salt)} is replaced`, () =>
      Effect.gen(function* () {
        const { entries, store } = Store.make()
        yield* accepted(store)
        entries.set("knowngood/salt", salt)
        expect(yield* requestsWhenRefused(store)).toBe(1)
        yield* accepted(store)
        expect(entries.get("knowngood/salt")).toMatch(/^[0-9a-f]{32} \d+$/)
        expect(yield* requestsWhenRefused(store)).toBe(3)
      })
    )
  }
})

describe("a store that fails", () => {
  const never: Store.Trouble = () => Effect.never
  const troubles: ReadonlyArray<readonly [name: string, trouble: Store.Trouble]> = [
    ["fails", () => Store.broken],
    ["fails to read", (operation) => (operation === "get" ? Store.broken : Effect.void)],
    ["fails to write", (operation) => (operation === "set" ? Store.broken : Effect.void)],
    ["throws", () => Effect.die(new Error("no such disk"))],
    ["hangs", never],
    ["hangs where nothing can interrupt it", () => Effect.uninterruptible(Effect.never)],
    ["hangs when it reads", (operation) => (operation === "get" ? Effect.never : Effect.void)],
    ["hangs when it writes", (operation) => (operation === "set" ? Effect.never : Effect.void)]
  ]

  for (const [name, trouble] of troubles) {
    it.scoped(`that ${name} fails no request and loses none, and is logged`, () =>
      Effect.gen(function* () {
        const { lines } = yield* logged(
          Effect.gen(function* () {
            const script = [whole, refused(), refused(), whole]
            const { ask, knownGood, requests } = yield* started(Store.make(trouble).store, script, {
              readByEffect: true
            })
            const first = yield* Effect.fork(ask)
            yield* TestClock.adjust("1 second")
            expect((yield* Fiber.join(first)).text).toBe("Hello, world")
            expect(yield* knownGood).toBe(true)
            // In this run, the flag is as it would be without a memory.
            expect((yield* patiently(ask)).text).toBe("Hello, world")
            expect(yield* requests).toBe(4)
            yield* TestClock.adjust("1 minute")
          })
        )
        expect(lines.length).toBeGreaterThan(0)
        for (const line of lines) {
          expect(line).toContain("level=WARN")
          expect(line).not.toContain(plantedKey.slice(3, 12))
        }
      })
    )
  }

  it.scoped("that hangs holds up the first request for a second, and no other", () =>
    Effect.gen(function* () {
      const { ask, requests } = yield* started(Store.make(never).store, times(9, whole), { readByEffect: true })
      const first = yield* Effect.fork(ask)
      yield* TestClock.adjust(999)
      expect(yield* requests).toBe(0)
      yield* TestClock.adjust(1)
      yield* Fiber.join(first)
      yield* ask
      expect(yield* requests).toBe(2)
    })
  )

  it.scoped("that fails when a key is forgotten changes no call's error", () =>
    Effect.gen(function* () {
      const { store } = Store.make((operation) => (operation === "remove" ? Store.broken : Effect.void))
      yield* accepted(store)
      const { ask } = yield* started(store, times(20, refused()))
      for (let call = 0; call < 3; call++) {
        expect(yield* Effect.flip(patiently(ask))).toMatchObject({ _tag: "AuthRejected", attempts: 3 })
      }
    })
  )

  for (const [name, first] of [
    ["failed", Store.broken],
    ["hung", Effect.never]
  ] as const) {
    it.scoped(`and ${name} only once is used when it works again`, () =>
      Effect.gen(function* () {
        let operations = 0
        const { store } = Store.make(() => {
          operations += 1
          return operations === 1 ? first : Effect.void
        })
        const { ask } = yield* started(store, [whole], { readByEffect: true })
        yield* patiently(ask)
        yield* settled
        expect(yield* requestsWhenRefused(store)).toBe(3)
      })
    )
  }
})

describe("a store that is slow", () => {
  const slowly = (millis: number) =>
    Store.make((operation) => (operation === "get" ? Effect.sleep(millis) : Effect.void))

  const remembering = (millis: number) =>
    Effect.gen(function* () {
      const peephole = slowly(millis)
      const fiber = yield* Effect.fork(accepted(peephole.store))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      return peephole.store
    })

  it.scoped("is awaited by every call that begins meanwhile", () =>
    Effect.gen(function* () {
      const store = yield* remembering(200)
      const { ask, requests } = yield* started(store, [...times(4, refused()), ...times(4, whole)], {
        readByEffect: true
      })
      const calls = yield* Effect.fork(Effect.all(times(4, ask), { concurrency: "unbounded" }))
      const replies = yield* patiently(Fiber.join(calls))
      expect(replies.map(({ text }) => text)).toEqual(times(4, "Hello, world"))
      expect(yield* requests).toBe(8)
    })
  )

  it.scoped("is asked once, even if the call that asked first is interrupted", () =>
    Effect.gen(function* () {
      const store = yield* remembering(200)
      const { ask, requests } = yield* started(store, times(9, refused()), { readByEffect: true })
      const first = yield* Effect.fork(ask)
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(first)
      yield* Effect.flip(patiently(ask))
      expect(yield* requests).toBe(3)
    })
  )

  it.scoped("says nothing of a key that has been replaced in the meantime", () =>
    Effect.gen(function* () {
      const store = yield* remembering(200)
      const present = yield* Ref.make(plantedKey)
      const credential = yield* Credential.make({
        apiKey: Effect.map(Ref.get(present), Redacted.make),
        source: "MIMO_API_KEY"
      }).pipe(Effect.provide(KnownGood.layerKeyValueStore()), Effect.provideService(KeyValueStore.KeyValueStore, store))
      yield* credential.bind("https://token-plan-sgp.xiaomimimo.com")
      const slow = yield* Effect.fork(credential.read)
      yield* TestClock.adjust(100)
      yield* Ref.set(present, "tp-another-key-never-accepted")
      const next = yield* Effect.fork(credential.read)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(slow)
      yield* Fiber.join(next)
      expect(yield* Ref.get(credential.knownGood)).toBe(false)
    })
  )
})

describe("what is stored", () => {
  it.scoped("is a salt, and a date under a hash: no key, and no piece of one", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000)
      const { entries, store } = Store.make()
      yield* accepted(store)
      const names = Array.from(entries.keys()).sort()
      expect(names.length).toBe(2)
      expect(names[0]).toMatch(/^knowngood\/[0-9a-f]{64}$/)
      expect(names[1]).toBe("knowngood/salt")
      expect(entries.get(names[0] ?? "")).toBe("1700000000000")
      const all = JSON.stringify([...entries]).toLowerCase()
      for (let i = 0; i + 8 <= plantedKey.length; i++) {
        expect(all).not.toContain(plantedKey.slice(i, i + 8).toLowerCase())
      }
      const { provider } = yield* started(store, [whole])
      expect(all).not.toContain(yield* provider.credential.fingerprint)
    })
  )

  it.scoped("differs from store to store for the same key", () =>
    Effect.gen(function* () {
      const [one, other] = [Store.make(), Store.make()]
      yield* accepted(one.store)
      yield* accepted(other.store)
      const hashes = [one, other].map(({ entries }) =>
        Array.from(entries.keys()).find((key) => key !== "knowngood/salt")
      )
      expect(hashes[0]).not.toBe(hashes[1])
    })
  )
})

it.scoped("a key that was never accepted leaves nothing, not even a salt", () =>
  Effect.gen(function* () {
    const { entries, store } = Store.make()
    expect(yield* requestsWhenRefused(store)).toBe(1)
    yield* TestClock.adjust(backoff(1))
    expect(Array.from(entries.keys())).toEqual([])
  })
)
