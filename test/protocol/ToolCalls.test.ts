/** Tool calls that arrive in pieces: which pieces belong together, and which calls remain when the answer has ended. */
import { describe, expect, it } from "@effect/vitest"
import type * as Chat from "../../src/Chat.js"
import * as ToolCalls from "../../src/protocol/ToolCalls.js"
import * as Fault from "../../src/refusal/Fault.js"

const piece = (place: number, delta: string, id?: string, name?: string): ToolCalls.Piece => ({
  place,
  id,
  name,
  delta
})

/** The deltas of these pieces, and the calls when the answer has ended. */
const run = (pieces: ReadonlyArray<ToolCalls.Piece>, reason: Chat.FinishReason = "tool-calls", answerId?: string) => {
  const calls = ToolCalls.make(() => answerId)
  const deltas = pieces.flatMap((piece) => calls.add(piece) ?? [])
  return { deltas, size: calls.size(), end: calls.finish(reason) }
}

const call = (id: string, name: string, input: unknown) => ({ _tag: "ToolCall", id, name, input })
const delta = (id: string, name: string, delta: string) => ({ _tag: "ToolCallDelta", id, name, delta })

describe("pieces that belong together", () => {
  it("arguments over many pieces (V37)", () => {
    const { deltas, end } = run([piece(0, "", "c1", "get"), piece(0, '{"ci'), piece(0, 'ty":"S'), piece(0, 'F"}')])
    expect(deltas).toEqual([delta("c1", "get", '{"ci'), delta("c1", "get", 'ty":"S'), delta("c1", "get", 'F"}')])
    expect(end).toEqual([call("c1", "get", { city: "SF" })])
  })

  it("a complete call in one piece (V37)", () => {
    const { deltas, end } = run([piece(0, '{"city":"SF"}', "c1", "get")])
    expect(deltas).toEqual([delta("c1", "get", '{"city":"SF"}')])
    expect(end).toEqual([call("c1", "get", { city: "SF" })])
  })

  it("a beginning that is JSON by itself is not taken for all of it (V37)", () => {
    expect(run([piece(0, "1", "c1", "get"), piece(0, "2"), piece(0, "3")]).end).toEqual([call("c1", "get", 123)])
  })

  it("two calls at once, with mixed pieces (V37)", () => {
    const { end } = run([
      piece(0, '{"a"', "c1", "get"),
      piece(1, '{"b"', "c2", "put"),
      piece(0, ":1}"),
      piece(1, ":2}")
    ])
    expect(end).toEqual([call("c1", "get", { a: 1 }), call("c2", "put", { b: 2 })])
  })

  it("places with gaps, or from 1 on (V37, V45)", () => {
    const { end } = run([piece(1, "{}", "c1", "get"), piece(5, "{}", "c2", "put"), piece(1, " "), piece(5, " ")])
    expect(end).toEqual([call("c1", "get", {}), call("c2", "put", {})])
  })

  it("later pieces without id and name (MiMo sends null, recorded; V37)", () => {
    const { deltas, end } = run([piece(0, '{"a":', "c1", "get"), piece(0, "1}", undefined, undefined)])
    expect(deltas.map((event) => event._tag === "ToolCallDelta" && event.id)).toEqual(["c1", "c1"])
    expect(end).toEqual([call("c1", "get", { a: 1 })])
  })

  it("later pieces that repeat id and name", () => {
    const { end } = run([piece(0, '{"a":', "c1", "get"), piece(0, "1}", "c1", "get")])
    expect(end).toEqual([call("c1", "get", { a: 1 })])
  })

  it("a new id with a name at the same place is another call (Cerebras, recorded; V37)", () => {
    const { deltas, end } = run([piece(0, '{"a":1}', "c1", "get"), piece(0, '{"b":', "c2", "put"), piece(0, "2}")])
    expect(deltas.map((event) => event._tag === "ToolCallDelta" && event.id)).toEqual(["c1", "c2", "c2"])
    expect(end).toEqual([call("c1", "get", { a: 1 }), call("c2", "put", { b: 2 })])
  })

  it("a name that arrives in a later piece (V42)", () => {
    expect(run([piece(0, '{"a":', "c1"), piece(0, "1}", undefined, "get")]).end).toEqual([call("c1", "get", { a: 1 })])
  })

  it("an id that arrives in a later piece", () => {
    expect(run([piece(0, "{", undefined, "get"), piece(0, "}", "c1")]).end).toEqual([call("c1", "get", {})])
    expect(run([piece(0, "{", undefined, "get"), piece(0, "}", "c1", "get")]).end).toEqual([call("c1", "get", {})])
  })

  it("an empty piece after a complete call makes neither a delta nor a call (V43)", () => {
    const { deltas, end, size } = run([piece(0, "{}", "c1", "get"), piece(0, "")])
    expect({ deltas: deltas.length, size }).toEqual({ deltas: 1, size: 1 })
    expect(end).toEqual([call("c1", "get", {})])
  })

  it("without a piece there is no call", () => {
    expect(run([])).toEqual({ deltas: [], size: 0, end: [] })
  })
})

describe("ids", () => {
  it("are made if the server sends none, and differ (V50, O114)", () => {
    const { end } = run([piece(0, "{}", undefined, "get"), piece(1, "{}", undefined, "get")], "tool-calls", "answer-1")
    expect(end).toEqual([call("answer-1_0", "get", {}), call("answer-1_1", "get", {})])
  })

  it("are made without an answer's id, too (O114)", () => {
    const { end } = run([piece(0, "{}", undefined, "get"), piece(1, "{}", undefined, "put")])
    const ids = Fault.isFault(end) ? [] : end.map((event) => event._tag === "ToolCall" && event.id)
    expect(new Set(ids).size).toBe(2)
    expect(ids).not.toContain("")
  })

  it("of deltas are those of their calls, even if they are made (V50)", () => {
    const { deltas, end } = run([piece(0, "{}", undefined, "get"), piece(1, "{}", undefined, "get")])
    const idOf = (event: Chat.Event) => ("id" in event ? event.id : undefined)
    expect(deltas.map(idOf)).toEqual(Fault.isFault(end) ? "a fault" : end.map(idOf))
  })
})

describe("the id at a place, after the answer has ended", () => {
  it("is that of the call there, given or made, or undefined if the call was cut off", () => {
    const calls = ToolCalls.make(() => "answer-1")
    for (const one of [piece(0, "{}", "c1", "get"), piece(1, "{}", undefined, "get"), piece(2, '{"a', "c3", "get")])
      calls.add(one)
    expect(calls.idAt(0)).toBeUndefined()
    calls.finish("length")
    expect([0, 1, 2, 3].map((place) => calls.idAt(place))).toEqual(["c1", "answer-1_1", undefined, undefined])
  })
})

describe("the replay of a call", () => {
  const signed = (place: number, content: unknown, delta = ""): ToolCalls.Piece => ({
    ...piece(place, delta),
    replay: { protocol: "wire", content }
  })

  it("stays with its own call, whichever piece it arrived in", () => {
    const { end } = run([
      { ...piece(0, "{", "c1", "get"), replay: { protocol: "wire", content: { a: 1 } } },
      piece(1, "{}", "c2", "get"),
      signed(0, { b: 2 }, "}"),
      signed(0, { a: 3 })
    ])
    expect(end).toEqual([
      { ...call("c1", "get", {}), replay: { protocol: "wire", content: { a: 3, b: 2 } } },
      call("c2", "get", {})
    ])
  })
})

describe("arguments", () => {
  for (const [title, text, input] of [
    ["none at all are an empty object (V44)", "", {}],
    ["white space is an empty object (V44)", " \n", {}],
    ["an empty object (V44)", "{}", {}],
    ["nested", '{"a":[{"b":null}]}', { a: [{ b: null }] }],
    ["any JSON value", '"text"', "text"],
    [
      "the prototype of nothing: its keys are dropped (V34)",
      '{"__proto__":{"x":1},"constructor":{"y":2},"a":1}',
      { a: 1 }
    ],
    [
      "the same at every depth, and written with escapes (V34)",
      '[{"\\u005f_proto__":{"x":1},"a":{"con\\u0073tructor":1}}]',
      [{ a: {} }]
    ]
  ] as const) {
    it(title, () => {
      const { end } = run([piece(0, text, "c1", "get")])
      expect(end).toEqual([call("c1", "get", input)])
      const [event] = Fault.isFault(end) ? [] : end
      expect(JSON.stringify(event)).toBe(JSON.stringify(call("c1", "get", input)))
      expect(Object.hasOwn(Object.prototype, "x")).toBe(false)
    })
  }

  for (const text of ["{", '{"a":1}}', "not JSON", "{'a':1}", "undefined", '{"a":1}{"b":2}']) {
    it(`${JSON.stringify(text)} is not JSON: the answer is malformed, and names the tool`, () => {
      const { end } = run([piece(0, "{}", "c0", "ok"), piece(0, text, "c1", "get")])
      expect(end).toEqual({ _tag: "Malformed", reason: "NotJson", preview: text, tool: "get" })
    })
  }

  it("without a name are malformed (V37, V42)", () => {
    expect(run([piece(0, '{"a":1}', "c1")]).end).toMatchObject({ _tag: "Malformed", preview: '{"a":1}' })
  })
})

describe("an answer that the token limit cut", () => {
  it("drops a call with half its arguments", () => {
    expect(run([piece(0, '{"a":', "c1", "get")], "length").end).toEqual([])
  })

  it("drops a call whose arguments had not begun", () => {
    expect(run([piece(0, "", "c1", "get")], "length").end).toEqual([])
  })

  it("keeps the calls that were complete", () => {
    const { end } = run([piece(0, '{"a":1}', "c1", "get"), piece(1, '{"b":', "c2", "put")], "length")
    expect(end).toEqual([call("c1", "get", { a: 1 })])
  })
})
