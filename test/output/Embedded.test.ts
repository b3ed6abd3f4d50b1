/** JSON in prose or in a fence: the first that is complete, whatever stands around it and inside its strings. */
import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Embedded from "../../src/output/Embedded.js"
import * as Cost from "../Cost.js"

describe("is found", () => {
  const rows: ReadonlyArray<readonly [name: string, text: string, value: unknown]> = [
    ["after a sentence", 'Here you are: {"a":1}', { a: 1 }],
    ["before a sentence", '{"a":1}\nIs there anything else?', { a: 1 }],
    ["in a fence in a sentence", 'Sure!\n```json\n{"a":1}\n```\nDone.', { a: 1 }],
    ["in a fence that is not closed", '```json\n{"a":1}', { a: 1 }],
    ["the first of two", '{"a":1} and {"b":2}', { a: 1 }],
    ["an object, though a footnote comes first", 'As said [1], {"a":1}', { a: 1 }],
    ["an array, where there is no object", "The list: [1,2]", [1, 2]],
    ["an array of objects, whole", 'The list: [{"a":1},{"a":2}].', [{ a: 1 }, { a: 2 }]],
    ["with braces in its strings", 'x {"a":"}{ ]["} y', { a: "}{ ][" }],
    ["with quotes in its strings", 'x {"a":"\\"}\\\\"} y', { a: '"}\\' }],
    ["with an object in a string", 'x {"a":"{\\"b\\":1}"} y', { a: '{"b":1}' }],
    ["after braces that are no JSON", 'The set {x, y} {"a":1}', { a: 1 }],
    ["after quotes that are no strings", 'She said "{" and {"a":1}', { a: 1 }],
    ["inside braces that are no JSON", 'f({ {"a":[1,{"b":2}]} })', { a: [1, { b: 2 }] }],
    ["after what looks like an object for a while", '{"a": nothing} {"a":1}', { a: 1 }],
    ["on several lines", 'x\n{\r\n\t"a" : [ 1 , -2.5e3 , true , null ]\n}', { a: [1, -2500, true, null] }],
    ["empty", "x {} y", {}],
    ["without keys that would pollute a prototype", 'x {"__proto__":{"b":1},"a":1}', { a: 1 }],
    ["before one that breaks off", '{"a":1} {"b":', { a: 1 }]
  ]
  for (const [name, text, value] of rows) {
    it(name, () => {
      expect(Embedded.find(text)).toStrictEqual(value)
    })
  }
})

describe("is not found", () => {
  const rows: ReadonlyArray<readonly [name: string, text: string]> = [
    ["in nothing", ""],
    ["in prose", "I would rather not, 42 times."],
    ["in half an object, though a whole one is inside", '{"a":{"b":1},"c":"'],
    ["in half an array, though objects are inside", '[{"a":1},{"a":2}'],
    ["in half an array that ends in half a literal", '[{"a":1}, tr'],
    ["in half an array that ends in half a number", '[{"a":1}, 1.'],
    ["in half an array that ends in half an escape", '[{"a":1}, "\\'],
    ["in a string of what is no JSON", '{"a":"see {} here" "b"}'],
    ["with a comma too many", '{"a":1,}'],
    ["with single quotes", "{'a':1}"],
    ["with the wrong bracket", '{"a":1]'],
    ["with a line break in a string", '{"a":"x\ny"}'],
    ["with a number that JSON does not have", '{"a":01}']
  ]
  for (const [name, text] of rows) {
    it(name, () => {
      expect(Embedded.find(text)).toBeUndefined()
    })
  }
})

const prose = fc.stringMatching(/^[^{}[\]]*$/)
const object = fc.dictionary(
  fc.string().filter((key) => key !== "__proto__" && key !== "constructor"),
  fc.jsonValue({ maxDepth: 3 })
)
const safe = (value: unknown): boolean => !/__proto__|constructor/.test(JSON.stringify(value))

describe("whatever the object", () => {
  it("is found in any prose that has no brackets", () => {
    fc.assert(
      fc.property(prose, object.filter(safe), prose, fc.constantFrom(0, 2), (before, value, after, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(Embedded.find(`${before}${text}${after}`)).toEqual(JSON.parse(text))
      }),
      { numRuns: 500 }
    )
  })

  it("no part of it is found in a text that breaks off", () => {
    fc.assert(
      fc.property(prose, object.filter(safe), fc.nat(), (before, value, at) => {
        const text = JSON.stringify(value)
        expect(Embedded.find(before + text.slice(0, at % text.length))).toBeUndefined()
      }),
      { numRuns: 500 }
    )
  })
})

describe("costs as much as the text is long", () => {
  const texts: ReadonlyArray<readonly [name: string, unit: string]> = [
    ["opening braces", "{"],
    ["opening brackets", "["],
    ["brackets and a word", "[[[[x"],
    ["objects that open and never close", '{"a":'],
    ["objects that go wrong", '{"a":{"a":x'],
    ["quotes", '{"'],
    ["escapes", '["\\"'],
    ["strings with brackets in them", '["[[[["'],
    ["strings behind brackets in strings", '["[" "['],
    ["strings that a line break ends", '{"aaaaaaaa\n'],
    ["complete arrays in one that is wrong", "[[1],x "],
    ["white space", "[ \n"]
  ]
  for (const [name, unit] of texts) {
    it(name, () => {
      const of = (length: number) => unit.repeat(Math.ceil(length / unit.length))
      const [small, large] = [of(250_000), of(1_000_000)]
      expect(
        Cost.growth(
          () => Embedded.find(small),
          () => Embedded.find(large)
        )
      ).toBeLessThan(8)
    })
  }

  it("an object of a megabyte, and one string of a megabyte", () => {
    const many = `x ${JSON.stringify({ a: Array.from({ length: 100_000 }, (_, i) => ({ i })) })} y`
    expect(Embedded.find(many)).toHaveProperty("a.length", 100_000)
    const long = "\\n".repeat(500_000)
    expect(Embedded.find(`x {"a":"${long}"} y`)).toHaveProperty("a.length", 500_000)
  })
})
