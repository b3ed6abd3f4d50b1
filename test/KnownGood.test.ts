/** The memory of accepted keys alone: what its members do with a store that hangs, lies, or is shared. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import { FileSystem, KeyValueStore } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, FiberId, Logger, Option, Random, TestClock } from "effect"
import * as KnownGood from "../src/KnownGood.js"
import { settled } from "./Caller.js"
import type { Task } from "./chaos/Remembering.js"
import * as Effort from "./Effort.js"
import * as Store from "./Store.js"

/** A program's memory, in a store that it may share. Each call of this stands for another process. */
const memoryOn = (
  store: KeyValueStore.KeyValueStore,
  options?: KnownGood.Options
): Effect.Effect<KnownGood.KnownGood["Type"]> =>
  Effect.provide(KnownGood.KnownGood, KnownGood.layerKeyValueStore(options)).pipe(
    Effect.provideService(KeyValueStore.KeyValueStore, store)
  )

const digest =
  (key: string): KnownGood.Digest =>
  (salt) =>
    `${key}-${salt}`

const members = ["recall", "remember", "forget"] as const

/** Runs as a daemon, so that the end of the test does not wait for it. */
const begun = <A, E>(self: Effect.Effect<A, E>) => Effect.tap(Effect.forkDaemon(self), settled)

const isOver = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
  Effect.map(Effect.zipRight(settled, Fiber.poll(fiber)), ({ _tag }) => _tag === "Some")

const hangs = Effect.uninterruptible(Effect.never)

/** Runs it to its end, however long it sleeps. */
const inTime = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* begun(self)
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

describe("a store that hangs where nothing can interrupt it", () => {
  const operations = ["get", "set", "remove"] as const
  for (const member of members) {
    for (const hung of [operations, ...operations.map((one) => [one])]) {
      for (const [where, region] of [
        ["", (self: Effect.Effect<unknown>) => self],
        [", called where nothing can interrupt the caller", Effect.uninterruptible]
      ] as const) {
        it.effect(`in ${hung.join(", ")} keeps ${member} for the timeout at most${where}`, () =>
          Effect.gen(function* () {
            let isHanging = false
            const { store } = Store.make((operation) =>
              isHanging && hung.some((one) => one === operation) ? hangs : Effect.void
            )
            const memory = yield* memoryOn(store, { timeout: "3 seconds" })
            yield* inTime(memory.remember(digest("a")))
            isHanging = true
            const fiber = yield* begun(region(memory[member](digest("a"))))
            yield* TestClock.adjust(2999)
            yield* TestClock.adjust(1)
            expect(yield* isOver(fiber)).toBe(true)
            expect(Exit.isSuccess(yield* Fiber.await(fiber))).toBe(true)
          })
        )
      }
    }
  }

  it.effect("delays all who ask at once by one timeout together, not one after the other", () =>
    Effect.gen(function* () {
      const memory = yield* memoryOn(Store.make(() => hangs).store)
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), (_, i) =>
        begun(memory.recall(digest(String(i))))
      )
      yield* TestClock.adjust(999)
      expect(yield* Effect.forEach(fibers, isOver)).not.toContain(true)
      yield* TestClock.adjust(1)
      expect(yield* Effect.forEach(fibers, isOver)).not.toContain(false)
    })
  )

  for (const [how, hang] of [
    ["uninterruptibly", hangs],
    ["interruptibly", Effect.never]
  ] as const) {
    it.effect(`delays nobody who comes later (${how}), until it answers again`, () =>
      Effect.gen(function* () {
        let isHanging = false
        const { store } = Store.make(() => (isHanging ? hang : Effect.void))
        const memory = yield* memoryOn(store)
        yield* inTime(memory.remember(digest("a")))
        isHanging = true
        const first = yield* begun(memory.recall(digest("a")))
        yield* TestClock.adjust("1 second")
        expect(yield* isOver(first)).toBe(true)
        for (let call = 0; call < 20; call++) {
          const later = yield* begun(memory.recall(digest("a")))
          expect(yield* isOver(later)).toBe(true)
          expect(yield* Fiber.join(later)).toBe(false)
        }
        yield* TestClock.adjust("10 seconds")
        isHanging = false
        expect(yield* memory.recall(digest("a"))).toBe(false)
        yield* settled
        expect(yield* memory.recall(digest("a"))).toBe(true)
      })
    )
  }

  it.effect("can be interrupted by whoever waits for it", () =>
    Effect.gen(function* () {
      const memory = yield* memoryOn(Store.make(() => hangs).store)
      for (const member of members) {
        const fiber = yield* begun(memory[member](digest("a")))
        const interrupting = yield* begun(Fiber.interrupt(fiber))
        expect(yield* isOver(interrupting)).toBe(true)
      }
    })
  )
})

describe("processes that start together on one store", () => {
  /** Time in steps of 20 ms, for all at once: the test clock wakes its sleepers one by one, and is slow for hundreds. */
  class Steps {
    private next = Deferred.unsafeMake<void>(FiberId.none)

    readonly wait = Effect.suspend(() => Deferred.await(this.next))

    private readonly step = Effect.suspend(() => {
      const due = this.next
      this.next = Deferred.unsafeMake<void>(FiberId.none)
      return Effect.all([Deferred.succeed(due, undefined), TestClock.adjust(20)])
    })

    /** Well over a second. */
    readonly inTime = <A, E>(self: Effect.Effect<A, E>) =>
      Effect.gen(this, function* () {
        const fiber = yield* begun(self)
        for (let round = 0; round < 70; round++) yield* this.step
        return yield* Fiber.join(fiber)
      })
  }

  /** How long a network drive may take for each operation, there and back; until it is near. */
  const distant = (way: Effect.Effect<void>) => {
    const { entries, store } = Store.make()
    let isNear = false
    const once = Effect.suspend(() => (isNear ? Effect.void : way))
    const far = <A, E>(operation: Effect.Effect<A, E>) => once.pipe(Effect.zipRight(operation), Effect.zipLeft(once))
    return {
      entries,
      comesNear: Effect.sync(() => {
        isNear = true
      }),
      store: KeyValueStore.make({
        ...store,
        get: (key) => far(store.get(key)),
        set: (key, value) => far(store.set(key, value)),
        remove: (key) => far(store.remove(key))
      })
    }
  }

  /** Each gets its own key accepted; afterwards each finds every other's, and so does one that starts later. */
  const findEachOther = (count: number, way: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const { comesNear, entries, store } = distant(way)
      const keys = Array.from({ length: count }, (_, i) => digest(String(i)))
      const processes = yield* Effect.forEach(keys, () => memoryOn(store, { timeout: "1 hour" }))
      const start = (memory: KnownGood.KnownGood["Type"], i: number) =>
        Effect.zipRight(memory.recall(digest(String(i))), memory.remember(digest(String(i))))
      yield* Effect.forEach(processes, start, { concurrency: "unbounded" })
      yield* comesNear
      const later = yield* memoryOn(store)
      const found = yield* Effect.forEach([...processes, later], (memory) =>
        Effect.forEach(keys, (key) => memory.recall(key))
      )
      return { all: !found.flat().includes(false), entries: entries.size }
    })

  it.effect("find each other's entries: 40 pairs out of 40, and nothing remains of the salt that lost", () =>
    Effect.gen(function* () {
      const steps = new Steps()
      const pairs = Effect.replicateEffect(findEachOther(2, steps.wait), 40, { concurrency: 40 })
      expect(yield* steps.inTime(pairs)).toEqual(Array.from({ length: 40 }, () => ({ all: true, entries: 3 })))
    })
  )

  it.effect("find each other's entries: 40 on one store", () =>
    Effect.gen(function* () {
      const steps = new Steps()
      expect(yield* steps.inTime(findEachOther(40, steps.wait))).toEqual({ all: true, entries: 41 })
    })
  )

  it.effect("find each other's entries, however long each operation takes", () =>
    Effect.gen(function* () {
      const steps = new Steps()
      const anything = Effect.flatMap(Random.nextIntBetween(0, 4), (count) =>
        Effect.all(Array.from({ length: count }, () => steps.wait))
      )
      const histories = Effect.forEach(
        Array.from({ length: Effort.runs(30) }, (_, seed) => seed),
        (seed) =>
          Effect.map(
            Effect.withRandom(findEachOther(2 + (seed % 4), Effect.asVoid(anything)), Random.make(seed)),
            ({ all }) => [seed, all] as const
          ),
        { concurrency: "unbounded" }
      )
      expect((yield* steps.inTime(histories)).filter(([, all]) => !all)).toEqual([])
    })
  )

  it.effect("agree from the next accepted key on, even if a salt was written after everybody looked", () =>
    Effect.gen(function* () {
      const store = Store.make().store
      yield* store.set("knowngood/salt", `${"a".repeat(32)} 0`)
      const [one, other] = [yield* memoryOn(store), yield* memoryOn(store)]
      yield* inTime(one.remember(digest("1")))
      yield* store.set("knowngood/salt", `${"b".repeat(32)} 0`)
      yield* inTime(one.remember(digest("1")))
      expect(yield* other.recall(digest("1"))).toBe(true)
    })
  )

  // With a stride of fewer than ten operations, no fiber of Effect makes progress.
  it.effect.each([10, 13, 2048])("one interrupted anywhere leaves a store that serves the next (stride %i)", (stride) =>
    Effect.gen(function* () {
      for (let step = 0; step < 40; step++) {
        const { store } = Store.make(() => Effect.yieldNow())
        const [one, other] = [yield* memoryOn(store), yield* memoryOn(store)]
        const both = Effect.all([one.remember(digest("a")), one.forget(digest("b")), one.recall(digest("a"))])
        const fiber = yield* Effect.forkDaemon(Effect.withMaxOpsBeforeYield(both, stride))
        yield* Effect.repeatN(Effect.yieldNow(), step)
        yield* Fiber.interrupt(fiber)
        const writing = yield* begun(other.remember(digest("b")))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(writing)
        expect(yield* other.recall(digest("b")), `after ${step} steps`).toBe(true)
        expect(yield* one.recall(digest("b")), `after ${step} steps`).toBe(true)
      }
    })
  )

  it.effect("do not write a forgotten key again under the salt that stays", () =>
    Effect.gen(function* () {
      const { entries, store } = Store.make()
      const memory = yield* memoryOn(store)
      const writing = yield* begun(memory.remember(digest("a")))
      yield* memory.forget(digest("a"))
      yield* store.set("knowngood/salt", `${"b".repeat(32)} 0`)
      yield* TestClock.adjust("1 second")
      expect(yield* isOver(writing)).toBe(true)
      expect(Array.from(entries.keys())).toEqual(["knowngood/salt"])
    })
  )
})

describe("on the file system", () => {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href

  const remembering = Effect.acquireRelease(
    Effect.promise(async () => {
      const child = fork(fileURLToPath(new URL("chaos/Remembering.ts", import.meta.url)), {
        execArgv: ["--import", tsx]
      })
      await once(child, "message")
      return child
    }),
    (child) => Effect.sync(() => child.kill())
  )

  const told = (child: ChildProcess, task: Task) =>
    Effect.promise(async () => {
      const answer = once(child, "message")
      child.send(task)
      return (await answer)[0] === true
    })

  it.scopedLive(
    "two processes that start together find each other's entries, three times of three",
    () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const [one, other] = yield* Effect.all([remembering, remembering], { concurrency: 2 })
        const found: Array<boolean> = []
        for (let round = 0; round < 3; round++) {
          const directory = yield* files.makeTempDirectoryScoped()
          const both = (of: readonly [Task["member"], string, string]) =>
            Effect.all(
              [
                told(one, { directory, member: of[0], key: of[1] }),
                told(other, { directory, member: of[0], key: of[2] })
              ],
              { concurrency: 2 }
            )
          yield* both(["remember", "a", "b"])
          found.push(...(yield* both(["recall", "b", "a"])))
        }
        expect(found).toEqual(Array.from({ length: 6 }, () => true))
      }).pipe(Effect.provide(NodeContext.layer)),
    // A busy machine may suspend one of them longer than the other waits before it looks again.
    { retry: 2, timeout: 60_000 }
  )

  it.scopedLive("forgetting what is not there is no trouble, and is not logged", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.gen(function* () {
        const memory = yield* memoryOn(yield* KeyValueStore.KeyValueStore)
        yield* memory.forget(digest("a"))
        yield* memory.remember(digest("a"))
        yield* memory.forget(digest("b"))
        yield* memory.forget(digest("a"))
        yield* memory.forget(digest("a"))
        expect(yield* memory.recall(digest("a"))).toBe(false)
      }).pipe(
        Effect.provide(KeyValueStore.layerFileSystem(yield* files.makeTempDirectoryScoped())),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      expect(lines).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("a date", () => {
  const day = Duration.toMillis("1 day")
  for (const [what, ahead, isKnown] of [
    ["of now", 0, true],
    ["that is ahead by an hour, because the clock was set back, counts", day / 24, true],
    ["that is ahead by a day counts", day, true],
    ["that is ahead by more counts for nothing", day + 1, false],
    ["that is ahead by years counts for nothing", 4000 * day, false]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { store } = Store.make()
        const memory = yield* memoryOn(store)
        yield* TestClock.setTime(10_000 * day)
        yield* inTime(memory.remember(digest("a")))
        yield* TestClock.setTime(10_000 * day - ahead)
        expect(yield* memory.recall(digest("a"))).toBe(isKnown)
        yield* inTime(memory.remember(digest("a")))
        expect(yield* memory.recall(digest("a"))).toBe(true)
      })
    )
  }
})

describe("no member fails or dies", () => {
  /** What a store written without types may return. */
  const given = (value: unknown) => ({ ...Store.make().store, get: () => value }) as never
  const garbage: ReadonlyArray<readonly [what: string, store: KeyValueStore.KeyValueStore]> = [
    ["a store whose get gives a number", given(Effect.succeed(Option.some(7)))],
    ["a store whose get gives no option", given(Effect.succeed("text"))],
    ["a store whose get gives nothing", given(Effect.succeed(undefined))],
    ["a store whose get gives an object that throws", given(Effect.succeed(Option.some(Object.create(null))))],
    ["a store whose get is no effect", given("text")],
    ["a store whose get gives a promise", given(Promise.resolve(Option.none()))],
    ["a store whose get is missing", { ...Store.make().store, get: undefined } as never],
    ["a store that interrupts", given(Effect.interrupt)],
    ["a store that gives a megabyte", given(Effect.succeed(Option.some("9".repeat(1_000_000))))],
    ["a store that gives the salt for everything", given(Effect.succeed(Option.some(`${"0".repeat(32)} 7`)))],
    ["no store", {} as never]
  ]
  for (const [what, store] of garbage) {
    it.effect(`on ${what}`, () =>
      Effect.gen(function* () {
        const memory = yield* memoryOn(store)
        yield* inTime(memory.remember(digest("a")))
        expect(yield* memory.recall(digest("a"))).toBe(false)
        yield* memory.forget(digest("a"))
      })
    )
  }

  it.effect("with a digest that throws", () =>
    Effect.gen(function* () {
      const { store } = Store.make()
      const memory = yield* memoryOn(store)
      yield* inTime(memory.remember(digest("a")))
      const thrown: KnownGood.Digest = () => {
        throw new Error("no hash")
      }
      for (const member of members) expect(yield* memory[member](thrown)).not.toBe(true)
    })
  )
})
