/** A streamed answer outside of Effect. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, ManagedRuntime } from "effect"
import * as Iteration from "../../src/answer/Iteration.js"
import { Chat, Provider, type ProviderError } from "../../src/index.js"
import * as Gateway from "../../src/testing/Gateway.js"
import { clients, connections, eventually, mimo as mimoAt, serve } from "../Loopback.js"
import { chunk, hello, mimo, refused, streamed, times } from "../Wire.js"

const requests = Effect.map(Gateway.requests, (requests) => requests.length)

/** "Hello, " and no end: the connection breaks. */
const cut: Gateway.Answer = { ...streamed, body: [...Gateway.sse([chunk({ content: "Hello, " })]).body, "drop"] }

/** "Hello, " and then nothing for ever. */
const stalled: Gateway.Answer = { ...cut, body: [...cut.body.slice(0, -1), "stall"] }

describe("iterate", () => {
  const runtimeOf = (script: Gateway.Script) => ManagedRuntime.make(Layer.orDie(mimo(script)))

  const iterated = async (runtime: ManagedRuntime.ManagedRuntime<Provider.Provider | Gateway.Gateway, never>) => {
    const events: Array<Chat.Event> = []
    let error: unknown
    try {
      for await (const event of Provider.iterate(runtime.runPromise, hello)) events.push(event)
    } catch (thrown) {
      error = thrown
    }
    return { events, error }
  }

  it("gives the same events as the stream", async () => {
    const runtime = runtimeOf([streamed, streamed])
    const { error, events } = await iterated(runtime)
    expect(error).toBeUndefined()
    expect(Chat.reply(events)).toEqual(await runtime.runPromise(Chat.collect(Provider.stream(hello))))
  })

  it("throws the ProviderError itself: before any event", async () => {
    const { error, events } = await iterated(runtimeOf([refused()]))
    expect(error).toMatchObject({ _tag: "AuthRejected", attempts: 1 })
    expect(events).toEqual([])
  })

  it("and after the first, with what arrived", async () => {
    const { error, events } = await iterated(runtimeOf([cut]))
    expect(error).toMatchObject({ _tag: "Transient", emitted: true, partial: "Hello, " })
    expect((error as ProviderError.ProviderError).attempts).toBe(1)
    expect(events).toEqual([{ _tag: "TextDelta", text: "Hello, " }])
  })

  it("whoever leaves the loop breaks the request off", async () => {
    const runtime = runtimeOf([stalled])
    for await (const event of Provider.iterate(runtime.runPromise, hello)) {
      expect(event).toEqual({ _tag: "TextDelta", text: "Hello, " })
      break
    }
    const seen = await runtime.runPromise(Gateway.requests)
    expect(seen.map(({ aborted }) => aborted)).toEqual([true])
  })

  it("sends nothing before the loop begins", async () => {
    const runtime = runtimeOf([streamed])
    const loop = Provider.iterate(runtime.runPromise, hello)
    await loop.return()
    expect(await runtime.runPromise(requests)).toBe(0)
  })
})

describe("iterate, given up while it waits", () => {
  const text = { done: false, value: { _tag: "TextDelta", text: "Hello, " } }
  const finished = { done: true, value: undefined }

  /** What a promise has come to, after a moment by the real clock. */
  const soon = <A>(promise: Promise<A>) =>
    Promise.race([
      promise.then(
        (value) => ({ value }),
        (error: unknown) => ({ error })
      ),
      new Promise((resolve) => setTimeout(resolve, 2000, "pending"))
    ])

  for (const [client, layer] of clients) {
    /** At a server that says "Hello, " and then nothing more. */
    const begun = async (script: Gateway.Script = [stalled]) => {
      const server = ManagedRuntime.make(serve(script))
      const context = (await server.runtime()).context
      const runtime = ManagedRuntime.make(
        Layer.provideMerge(mimoAt(), Layer.merge(layer, Layer.succeedContext(context)))
      )
      const abort = new AbortController()
      const run: Iteration.RunPromise<Provider.Provider> = (effect) =>
        runtime.runPromise(effect, { signal: abort.signal })
      const loop = Provider.iterate(run, hello)
      const closed = () => server.runPromise(eventually(Effect.map(connections.open, (open) => open === 0)))
      const asked = () => server.runPromise(Effect.map(Gateway.requests, (requests) => requests.length))
      return { abort, asked, closed, loop, runtime, server }
    }

    describe(`over ${client}`, () => {
      it("return() settles the next that waits, and closes the connection, at once", async () => {
        const { closed, loop, server } = await begun()
        expect(await loop.next()).toEqual(text)
        const waiting = loop.next()
        expect(await soon(loop.return())).toEqual({ value: finished })
        expect(await soon(waiting)).toEqual({ value: finished })
        expect(await closed()).toBe(true)
        expect(await loop.next()).toEqual(finished)
        await server.dispose()
      })

      it("so does throw(), with what was thrown", async () => {
        const { closed, loop, server } = await begun()
        await loop.next()
        const waiting = loop.next()
        const error = new Error("the loop's own")
        expect(await soon(loop.throw(error))).toEqual({ error })
        expect(await soon(waiting)).toEqual({ value: finished })
        expect(await closed()).toBe(true)
        await server.dispose()
      })

      it("return() before the first event", async () => {
        const { asked, closed, loop, server } = await begun([Gateway.delay("10 minutes", streamed)])
        const waiting = loop.next()
        while ((await asked()) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        expect(await soon(loop.return())).toEqual({ value: finished })
        expect(await soon(waiting)).toEqual({ value: finished })
        expect(await closed()).toBe(true)
        await server.dispose()
      })

      it("a runtime that is disposed of settles the next that waits, and closes the connection", async () => {
        const { closed, loop, runtime, server } = await begun()
        await loop.next()
        const waiting = soon(loop.next())
        await runtime.dispose()
        expect(await waiting).toHaveProperty("error")
        expect(await closed()).toBe(true)
        expect(await loop.next()).toEqual(finished)
        await server.dispose()
      })

      it("disposed of inside of the loop, it leaks no connection", async () => {
        const { closed, loop, runtime, server } = await begun()
        for await (const _ of loop) {
          await runtime.dispose()
          break
        }
        expect(await closed()).toBe(true)
        await server.dispose()
      })

      it("an abort of what the runtime runs does the same", async () => {
        const { abort, closed, loop, server } = await begun()
        await loop.next()
        const waiting = loop.next()
        abort.abort()
        expect(await soon(waiting)).toHaveProperty("error")
        expect(await closed()).toBe(true)
        await server.dispose()
      })
    })
  }

  it("several that wait are served in order, and all of them are told of the end", async () => {
    const loop = Provider.iterate(ManagedRuntime.make(mimo([streamed])).runPromise, hello)
    const all = await Promise.all(times(6, undefined).map(() => loop.next()))
    expect(all.map(({ value }) => value?._tag)).toEqual([
      "TextDelta",
      "TextDelta",
      "Finish",
      undefined,
      undefined,
      undefined
    ])
    expect(all.map(({ done }) => done)).toEqual([false, false, false, true, true, true])
  })

  it("a failure is reported once, after every event before it, and then there is nothing more", async () => {
    const loop = Provider.iterate(ManagedRuntime.make(mimo([cut])).runPromise, hello)
    expect(await loop.next()).toEqual(text)
    expect(await soon(loop.next())).toMatchObject({ error: { _tag: "Transient", emitted: true, partial: "Hello, " } })
    expect(await loop.next()).toEqual(finished)
    expect(await loop.return()).toEqual(finished)
  })

  it("a runtime that cannot be built fails the loop with its reason", async () => {
    const runtime = ManagedRuntime.make(Layer.fail("no config") as Layer.Layer<Provider.Provider>)
    const loop = Provider.iterate(runtime.runPromise, hello)
    expect(await soon(loop.next())).toMatchObject({ error: { message: expect.stringContaining("no config") } })
    expect(await loop.next()).toEqual(finished)
  })

  it("what the loop's own provider throws fails it, too", async () => {
    const loop = Iteration.make(Effect.runPromise, Effect.die(new Error("the provider's own")))
    expect(await soon(loop.next())).toMatchObject({ error: { message: "the provider's own" } })
  })

  it("ten thousand events come in order, each once", async () => {
    const script = [
      Gateway.sse([...times(10_000, chunk({ content: "x" })), chunk({}, { finish_reason: "stop" }), "[DONE]"])
    ]
    let count = 0
    for await (const event of Provider.iterate(ManagedRuntime.make(mimo(script)).runPromise, hello)) {
      if (event._tag === "TextDelta") count += 1
    }
    expect(count).toBe(10_000)
  })

  it("is what the platform takes for an async iterator", async () => {
    const loop = Provider.iterate(ManagedRuntime.make(mimo([streamed])).runPromise, hello)
    expect(loop[Symbol.asyncIterator]()).toBe(loop)
    const native = Object.getPrototypeOf(Object.getPrototypeOf(Object.getPrototypeOf((async function* () {})())))
    expect(Object.prototype.isPrototypeOf.call(native, loop)).toBe(true)
    await loop.return()
  })
})
