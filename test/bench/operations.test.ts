/** How much work Effect is given per call and per network read: counts, so the same on every machine. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Chat, Provider } from "knowngood"
import * as Operations from "./Operations.js"
import * as Wire from "./Wire.js"

const request: Chat.Request = { messages: [Chat.user("Why is the sky blue?")] }
const stream = Stream.runDrain(Provider.stream(request))

/** Without what it costs to build the layer. */
const ofCall = async (...args: Parameters<typeof Operations.count>): Promise<Operations.Count> => {
  const all = await Operations.count(...args)
  const built = await Operations.count(Effect.void, [])
  return { operations: all.operations - built.operations, wakeUps: all.wakeUps - built.wakeUps }
}

describe("one network read with one event in it", () => {
  it("costs a stream at most 63 operations and 3 wake-ups", async () => {
    const { operations, wakeUps } = await Operations.perRead(stream)
    expect(operations).toBeLessThanOrEqual(63)
    expect(wakeUps).toBeLessThanOrEqual(3)
  })

  it("costs a fold no more", async () => {
    const { operations, wakeUps } = await Operations.perRead(Chat.collect(Provider.stream(request)))
    expect(operations).toBeLessThanOrEqual(61)
    expect(wakeUps).toBeLessThanOrEqual(3)
  })
})

describe("one call", () => {
  it("costs at most 2,300 operations for a stream of 8 events", async () => {
    const { operations } = await ofCall(stream, Operations.streamed(8))
    expect(operations).toBeLessThanOrEqual(2300)
  })

  it("costs at most 880 operations for a reply that is not streamed", async () => {
    const { operations } = await ofCall(Provider.complete(request), [Wire.wires.chat.whole], "application/json")
    expect(operations).toBeLessThanOrEqual(880)
  })
})

describe("the count", () => {
  it("is the same every time", async () => {
    expect(await Operations.perRead(stream)).toEqual(await Operations.perRead(stream))
  })
})
