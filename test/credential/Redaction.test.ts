/** What is taken out of a text: a known secret in every spelling, what looks like one, and characters that do not show. */
import { describe, expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Redaction from "../../src/credential/Redaction.js"
import * as Cost from "../Cost.js"
import { plantedKey } from "../Wire.js"

/** The pieces of 8 characters of the key that a text has, in whatever case. */
const piecesIn = (text: string, key: string): ReadonlyArray<string> => {
  const [said, secret] = [lower(text), lower(key)]
  const width = Math.min(8, secret.length)
  return Array.from({ length: secret.length - width + 1 }, (_, i) => secret.slice(i, i + width)).filter((piece) =>
    said.includes(piece)
  )
}

const lower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** Ways in which servers write a key into a text. */
const spellings: ReadonlyArray<readonly [name: string, spell: (key: string) => string]> = [
  ["as it is", (key) => key],
  ["in capitals", (key) => key.toUpperCase()],
  ["percent-encoded", encodeURIComponent],
  ["percent-encoded in small letters", (key) => encodeURIComponent(key).replace(/%../g, (code) => code.toLowerCase())],
  ["each character percent-encoded", (key) => hex(key, "%")],
  ["each character as \\u00xx", (key) => hex(key, "\\u00")],
  ["in a JSON text", (key) => JSON.stringify(key)],
  ["with escaped slashes", (key) => JSON.stringify(key).replaceAll("/", "\\/")]
]

const hex = (key: string, prefix: string): string =>
  Array.from(key, (letter) => prefix + letter.charCodeAt(0).toString(16).padStart(2, "0")).join("")

/** What can stand in a header. */
const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
const anyKey = fc
  .array(fc.constantFrom(...letters), { minLength: 12, maxLength: 80 })
  .map((letters) => letters.join(""))
const keyOfEscapes = fc
  .array(fc.constantFrom("%", "\\", "2", "F", "/", "u", "0", "a", "[", "]"), { minLength: 12, maxLength: 40 })
  .map((letters) => letters.join(""))
const key = fc.oneof(anyKey, keyOfEscapes)

describe("a secret", () => {
  for (const [name, spell] of spellings) {
    it.prop(`${name}: no piece of 8 characters is left, and what stands around it is`, [anyKey], ([key]) => {
      const out = Redaction.secret(`before ${spell(key)} after`, key)
      expect(piecesIn(out, key)).toEqual([])
      expect(piecesIn(unescaped(out), key)).toEqual([])
      expect(out.startsWith("before ")).toBe(true)
      expect(out.endsWith(" after")).toBe(true)
    })
  }

  const unescaped = (text: string): string =>
    text
      .replace(/\\u00([0-7][0-9a-f])|%([2-7][0-9a-f])/gi, (_, a, b) => String.fromCharCode(Number.parseInt(a ?? b, 16)))
      .replace(/\\(.)/gs, "$1")

  it.prop(
    "of any characters, `%`, `\\` and brackets too, in any text, leaves no piece of 8 characters",
    [key, fc.array(fc.oneof(fc.string(), fc.constantFrom("%", "\\", "%2", "\\u00", "[redacted]", "redacted")))],
    ([key, noise]) => {
      const pieces = noise.map((text, i) => text + [key, key.slice(i), key.slice(0, -i), key.slice(i, i + 9)][i % 4])
      expect(piecesIn(Redaction.secret(pieces.join(" "), key), key)).toEqual([])
    },
    { fastCheck: { numRuns: 1000 } }
  )

  it.prop(
    "leaves no piece of 8 characters in a long text, wherever that is cut",
    [key, fc.nat(), fc.nat()],
    ([key, where, from]) => {
      const long = `${"lorem ipsum 100% \\n ".repeat(200)}${key}${" dolor/sit%20amet ".repeat(200)}${key.toUpperCase()}`
      const start = from % long.length
      const cut = long.slice(start, start + (where % (long.length - start)))
      expect(piecesIn(Redaction.secret(cut, key), key)).toEqual([])
    },
    { fastCheck: { numRuns: 300 } }
  )

  it.prop("and a text without a piece of it comes back as it is", [fc.string(), fc.string()], ([a, b]) => {
    const text = `${a}%2F\\/${b}\\u0041`
    expect(Redaction.secret(text, plantedKey)).toBe(text)
  })

  it("in a row is one gap, and each gap is its own", () => {
    expect(Redaction.secret(`a ${plantedKey}${plantedKey} b ${plantedKey} c`, plantedKey)).toBe(
      "a [redacted] b [redacted] c"
    )
  })

  it("whose letters are the word that stands for it is taken out all the same", () => {
    for (const key of ["my-redacted-key-0123456789", "[redacted][redacted]", "0[redacted"]) {
      expect(piecesIn(Redaction.secret(`say ${key}, ${key.slice(1)}.`, key), key)).toEqual([])
    }
  })

  it("escaped twice, as JSON inside JSON is, is taken out", () => {
    const key = "sk-x/k1+aZ9/bY8=cX7"
    const once = JSON.stringify({ key }).replaceAll("/", "\\/")
    const twice = JSON.stringify({ once })
    expect(Redaction.secret(twice, key)).toContain("[redacted]")
    expect(piecesIn(Redaction.secret(twice, key).replaceAll("\\", ""), key)).toEqual([])
    expect(Redaction.secret(encodeURIComponent(encodeURIComponent(key)), key)).toBe("[redacted]")
  })
})

describe("a key that is none", () => {
  for (const [key, text] of [
    ["EMPTY", "The request has an empty body: EMPTY"],
    ["sk-no-key-required", "model: field required"],
    ["ollama", "ollama: model not found"],
    ["none", "none of the models"],
    ["None", "None is not a valid value"],
    ["null", "null is not allowed"],
    ["dummy", "a dummy value"],
    ["not-needed", "a body is not-needed"],
    ["no-key", "no-key"],
    ["no_key_needed", "a body is needed"],
    ["your-api-key-here", "put your-api-key-here"],
    ["lm-studio", "lm-studio has no such model"],
    ["placeholder", "a placeholder in the template"],
    ["local", "the local model"],
    ["token", "unexpected token"],
    ["test", "test"],
    ["xxxxxxxxxxxx", "xxxxxxxxxxxx"],
    ["abc", "abc"],
    ["", "nothing"]
  ] as const) {
    it(`${JSON.stringify(key)} takes no ordinary word out`, () => {
      expect(Redaction.secret(text, key)).toBe(text)
      expect(Redaction.secret(`${text}: required, needed, available`, key)).toBe(`${text}: required, needed, available`)
    })
  }

  it("but a short one of letters and digits is a secret", () => {
    expect(Redaction.secret("key a1b2c3 refused", "a1b2c3")).toBe("key [redacted] refused")
    expect(Redaction.secret("key no-key-4f9a1c refused", "no-key-4f9a1c")).toBe("key [redacted] refused")
    expect(Redaction.secret("correct-horse-battery", "correct-horse-battery")).toBe("[redacted]")
  })
})

describe("what looks like a secret", () => {
  for (const [text, expected] of [
    ["Incorrect API key provided: sk-abcd1234efgh.", "Incorrect API key provided: [redacted]"],
    ["Bearer abcdef0123456789", "Bearer [redacted]"],
    ["Your api key: ****1234 is invalid", "Your api key: [redacted] is invalid"],
    ["sk-ab*****cd", "[redacted]"],
    ["**bold** and *** are not", "**bold** and [redacted] are not"]
  ] as const) {
    it(text, () => {
      expect(Redaction.shapes(text)).toBe(expected)
    })
  }
})

describe("characters that do not show", () => {
  for (const [title, text, expected] of [
    ["ESC and the colours it sets", "\u001b[31mred\u001b[0m alert", "red alert"],
    ["ESC and the title it sets", "a\u001b]0;title\u0007b", "ab"],
    ["ESC and a link", "\u001b]8;;https://e.org\u001b\\here\u001b]8;;\u001b\\", "here"],
    ["ESC and a command without an end", "a\u001b]0;title", "a]0;title"],
    ["the 8-bit form of it", "\u009b31mred", "red"],
    ["BEL, NUL, backspace and DEL", "a\u0007b\0c\bd\u007f", "abcd"],
    ["C1", "a\u0085b\u0090c", "abc"],
    ["bidirectional overrides and isolates", "a\u202eb\u2066c\u2069\u200f", "abc"],
    ["what has no width", "a\u200bb\u2060c\ufeffd\u00ade", "abcde"],
    ["tags", "a\u{e0041}\u{e007f}b", "ab"],
    ["half a character", "a\ud83db\udc00", "ab"],
    ["white space is no such thing", "a\tb\nc\r\nd", "a\tb\nc\r\nd"],
    ["whole characters, and what joins them, stay", "👩‍💻 é 世界 ‌", "👩‍💻 é 世界 ‌"],
    ["a bracket after a line end stays", "\n[31m\n]0;", "\n[31m\n]0;"]
  ] as const) {
    it(title, () => {
      expect(Redaction.controls(text)).toBe(expected)
    })
  }
})

describe("what is shown", () => {
  const scrub = (text: string) => Redaction.shapes(Redaction.secret(text, plantedKey))

  it.prop(
    "is never longer than its bound, in one line, and whole characters",
    [
      fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(plantedKey, "🚀", "\u001b[1m", "\n"))),
      fc.integer({ min: 1, max: 40 })
    ],
    ([words, most]) => {
      const shown = Redaction.shown(words.join(""), most, scrub)
      expect(shown.length).toBeLessThanOrEqual(most)
      expect(shown).not.toMatch(/[\p{Cc}\p{Cs}]/u)
      expect(piecesIn(shown, plantedKey)).toEqual([])
    },
    { fastCheck: { numRuns: 1000 } }
  )

  it("is cut before a character, not inside", () => {
    expect(Redaction.shown("ab🚀", 3, scrub)).toBe("ab")
  })

  it("is not longer for the word that stands for a secret", () => {
    expect(Redaction.shown("**** ".repeat(100), 12, scrub)).toBe("[redacted] [")
  })

  it("has no key that control characters had taken apart", () => {
    const apart = Array.from(plantedKey).join("\u200b\u001b[0m")
    expect(piecesIn(Redaction.shown(apart, 400, scrub), plantedKey)).toEqual([])
  })

  it("has no key that straddles the bound, wherever it begins", () => {
    for (let at = 0; at < 120; at++) {
      expect(piecesIn(Redaction.shown("x ".repeat(60).slice(0, at) + plantedKey, 100, scrub), plantedKey)).toEqual([])
    }
  })
})

describe("what it costs grows with the text", () => {
  const prose = "The quick brown fox jumps over the lazy dog, 100 times. "
  for (const [title, piece] of [
    ["prose", prose],
    ["JSON inside JSON", '{\\"text\\": \\"The quick brown fox\\\\n\\", \\"url\\": \\"https:\\/\\/e.org\\"}, '],
    ["URLs", "https://e.org/a%20b%2Fc?d=%E4%BD%A0 "],
    ["backslashes", "\\"],
    ["percent signs", "%"],
    ["percent signs of percent signs", "%25"],
    ["half an escape", "\\u00"],
    ["the key, over and over", plantedKey],
    ["half of the key, over and over", `${plantedKey.slice(0, 12)} `],
    ["nearly a piece of the key", plantedKey.slice(0, 7)],
    ["ESC ]", "\u001b]"],
    ["ESC [", "\u001b["],
    ["stars", "*"],
    ["stars and letters", "a**-"],
    ["words of a masked key", "[redacted]"],
    ["Bearer and white space", "Bearer    "],
    ["letters", "a"],
    ["white space", " "]
  ] as const) {
    it(title, () => {
      const text = (size: number) => piece.repeat(size / piece.length)
      const scrub = (text: string) => Redaction.controls(Redaction.shapes(Redaction.secret(text, plantedKey)))
      const scrubbing = (size: number) => {
        const long = text(size)
        return () => scrub(long)
      }
      expect(Cost.growth(scrubbing(200_000), scrubbing(800_000))).toBeLessThan(8)
    })
  }

  it("and is not much more than to look at each character", () => {
    const text = prose.repeat(20_000)
    const look = () => {
      let sum = 0
      for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i)
      return sum
    }
    // A window of eight characters, cut out and looked up at each place, takes more than a hundred times as long.
    expect(Cost.growth(look, () => Redaction.secret(text, plantedKey))).toBeLessThan(8)
  })
})
