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

const listen = Provider.listen(request, () => undefined)

describe("one network read with one event in it", () => {
  it("costs a stream at most 34 operations and 2 wake-ups", async () => {
    const { operations, wakeUps } = await Operations.perRead(stream)
    expect(operations).toBeLessThanOrEqual(34)
    expect(wakeUps).toBeLessThanOrEqual(2)
  })

  it("costs listen nothing: no operation, no wake-up", async () => {
    const { operations, wakeUps } = await Operations.perRead(listen)
    expect(operations).toBeLessThan(0.2)
    expect(wakeUps).toBeLessThan(0.02)
  })
})

describe("one call", () => {
  it("costs at most 1,200 operations for a stream of 8 events", async () => {
    const { operations } = await ofCall(stream, Operations.streamed(8))
    expect(operations).toBeLessThanOrEqual(1200)
  })

  it("costs at most 480 operations for the same by listen", async () => {
    const { operations } = await ofCall(listen, Operations.streamed(8))
    expect(operations).toBeLessThanOrEqual(480)
  })

  it("costs at most 460 operations for a reply that is not streamed", async () => {
    const { operations } = await ofCall(Provider.complete(request), [Wire.wires.chat.whole], "application/json")
    expect(operations).toBeLessThanOrEqual(460)
  })
})

describe("the count", () => {
  it("is the same every time, but for the end of the body, which may come a turn earlier or later", async () => {
    const [once, again] = [await Operations.perRead(stream), await Operations.perRead(stream)]
    expect(Math.abs(once.operations - again.operations)).toBeLessThan(0.2)
  })
})
