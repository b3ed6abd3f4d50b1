/** JSON from outside: read without throwing and without trust. */
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Json from "../src/Json.js"

describe("parse", () => {
  for (const text of ["", " ", "{", "nonsense", "undefined", "NaN", "'a'", '{"a":1}}', "\u0000", '{"a":1,}']) {
    it(`${JSON.stringify(text)} is undefined`, () => {
      expect(Json.parse(text)).toBeUndefined()
      expect(Json.parseHandedOn(text)).toBeUndefined()
    })
  }

  it.prop("returns every JSON value (O37)", [FastCheck.json()], ([text]) => {
    expect(Json.parse(text)).toEqual(JSON.parse(text))
  })

  it.prop("never throws", [FastCheck.string()], ([text]) => {
    Json.parse(text)
    Json.parseHandedOn(text)
  })

  it("text that is nested too deeply is undefined, or its value", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000)
    const suspicious = `${"[".repeat(200_000)}"constructor"${"]".repeat(200_000)}`
    for (const value of [Json.parse(deep), Json.parseHandedOn(deep), Json.parseHandedOn(suspicious)]) {
      expect(value === undefined || Array.isArray(value)).toBe(true)
    }
  })
})

describe("parseHandedOn", () => {
  for (const [text, expected] of [
    ['{"__proto__":{"x":1},"a":1}', { a: 1 }],
    ['{"a":{"__proto__":{"x":1}}}', { a: {} }],
    ['{"constructor":{"prototype":{"x":1}}}', {}],
    ['[{"__proto__":null},{"b":[{"constructor":1}]}]', [{}, { b: [{}] }]],
    ['{"\\u005f\\u005fproto__":{"x":1}}', {}],
    ['{"const\\u0072uctor":1,"c":2}', { c: 2 }],
    ['{"a":"__proto__","b":"constructor"}', { a: "__proto__", b: "constructor" }],
    ['{"prototype":1,"toString":2}', { prototype: 1, toString: 2 }],
    ['"__proto__"', "__proto__"]
  ] as const) {
    it(`${text} loses prototype keys (V34)`, () => {
      const value = Json.parseHandedOn(text)
      expect(JSON.stringify(value)).toBe(JSON.stringify(expected))
      expect(Object.hasOwn(Object.prototype, "x")).toBe(false)
    })
  }

  it("spreading or assigning from it changes no prototype (O118)", () => {
    const value = Json.record(Json.parseHandedOn('{"__proto__":{"admin":true},"a":1}'))
    const copy: { readonly [key: string]: unknown } = Object.assign({}, value)
    expect(copy["admin"]).toBeUndefined()
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
  })

  it.prop("other values are unchanged", [FastCheck.jsonValue()], ([value]) => {
    const text = JSON.stringify(value)
    FastCheck.pre(!/__proto__|constructor/.test(text))
    expect(Json.parseHandedOn(text)).toEqual(JSON.parse(text))
  })
})

describe("readers", () => {
  const values = {
    object: { a: 1 },
    array: [1],
    text: "t",
    empty: "",
    number: 0,
    null: null,
    true: true,
    none: undefined
  }

  for (const [title, read, expected] of [
    ["record reads objects", Json.record, { object: { a: 1 } }],
    ["string reads text", Json.string, { text: "t", empty: "" }],
    ["nonEmpty reads text that is not empty", Json.nonEmpty, { text: "t" }],
    ["number reads numbers", Json.number, { number: 0 }]
  ] as const) {
    it(`${title}, and nothing else`, () => {
      const found = Object.entries(values).flatMap(([name, value]) => {
        const said: unknown = read(value)
        return said === undefined ? [] : [[name, said]]
      })
      expect(Object.fromEntries(found)).toEqual(expected)
    })
  }

  it("array reads arrays, and gives an empty one for anything else", () => {
    expect(Json.array([1])).toEqual([1])
    for (const value of [undefined, null, {}, "ab", 3]) expect(Json.array(value)).toEqual([])
  })

  it("defined drops undefined, and keeps null, false, zero and the empty string", () => {
    const fields = Json.defined({ a: undefined, b: null, c: false, d: 0, e: "" })
    expect(Object.keys(fields)).toEqual(["b", "c", "d", "e"])
  })
})
