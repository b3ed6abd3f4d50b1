/** Bytes to server-sent events: the same events however the bytes are cut, at a cost that grows with their number. */
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { vi } from "vitest"
import * as Sse from "../../src/answer/Sse.js"
import * as WireReader from "../../src/answer/WireReader.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as Effort from "../Effort.js"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What a parser makes of these chunks: the events as `[name, data]`, and what the last `feed` returned. */
const parse = (chunks: ReadonlyArray<Uint8Array>, options?: Pick<Sse.Options, "maxEventBytes">) => {
  const events: Array<readonly [name: string, data: string]> = []
  const parser = Sse.make({ ...options, onEvent: (data, name) => events.push([name, data]) })
  let fits = true
  for (const chunk of chunks) fits = parser.feed(chunk)
  return { events, fits }
}

const events = (...chunks: ReadonlyArray<string>) => parse(chunks.map(bytes)).events

const byteByByte = (whole: Uint8Array): ReadonlyArray<Uint8Array> => Array.from(whole, (byte) => Uint8Array.of(byte))

/** The bytes in pieces, cut at these places. */
const cut = (whole: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const ends = places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b)
  return [...ends, whole.length].map((end, i) => whole.subarray(ends[i - 1] ?? 0, end))
}

describe("an event", () => {
  for (const [title, text, expected] of [
    ["a name and data (O50, A5)", "event: a\ndata: b\n\n", [["a", "b"]]],
    ["data without a name (O51, A5)", "data: b\n\n", [["", "b"]]],
    ["a name without data (O52, A5)", "event: a\n\n", [["a", ""]]],
    [
      "several, named (O53, A5)",
      "event: a\n\nevent: b\n\n",
      [
        ["a", ""],
        ["b", ""]
      ]
    ],
    [
      "several, with data (O54, A5)",
      "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n",
      [
        ["a", "1"],
        ["b", "2"]
      ]
    ],
    ["lines of data, empty ones too, joined (O55, A5)", "data: {\ndata:\ndata: }\ndata\n\n", [["", "{\n\n}\n"]]],
    [
      "an escaped line break in JSON is no line end (O56, A5)",
      'data: {"a":"b\\n\\nc"}\n\n',
      [["", '{"a":"b\\n\\nc"}']]
    ],
    ["U+2028 and U+2029 in data are no line ends (O57, A5)", "data: a\u2028b\u2029c\n\n", [["", "a\u2028b\u2029c"]]],
    ["comments are nothing (O67)", ": keep-alive\n:\n\ndata: a\n: b\ndata: c\n\n: d\n\n", [["", "a\nc"]]],
    ["CRLF and lines of data (O67)", "data: a\r\ndata: b\r\n\r\n", [["", "a\nb"]]],
    ["CR alone ends a line", "event: a\rdata: b\r\r", [["a", "b"]]],
    ["one space after the colon is not part of the value", "data:a\ndata: b\ndata:  c\n\n", [["", "a\nb\n c"]]],
    ["a colon in the value is part of it", "data: a: b:c\n\n", [["", "a: b:c"]]],
    [
      "a name counts for its own event only",
      "event: a\ndata: 1\n\ndata: 2\n\n",
      [
        ["a", "1"],
        ["", "2"]
      ]
    ],
    ["the last name wins", "event: a\nevent: b\ndata: 1\n\n", [["b", "1"]]],
    ["names of fields are exact", "Data: a\ndata : b\n data: c\ndatas: d\nevents: e\n\n", []],
    ["id and retry are ignored, and lose nothing", "id: 7\nretry: 10\n\ndata: a\nretry: 5\n\n", [["", "a"]]],
    ["empty lines alone are nothing", "\n\n\r\n\r\r", []],
    ["a BOM before the first line is skipped", "\uFEFFdata: a\n\n", [["", "a"]]],
    ["a BOM alone on the first line is an empty line", "\uFEFF\ndata: a\n\n", [["", "a"]]],
    ["a BOM elsewhere is text", "data: \uFEFFa\n\n\uFEFFdata: b\n\n", [["", "\uFEFFa"]]],
    ["`error:` is a field of GPUStack's, without data", 'error: {"detail":"no"}\n\n', [["error", '{"detail":"no"}']]],
    ["`error:` wins over data of the same event", "data: a\nerror: b\n\n", [["error", "b"]]],
    ["bytes that are no UTF-8 become U+FFFD", Uint8Array.of(...bytes("data: a"), 0xff, 10, 10), [["", "a\uFFFD"]]]
  ] as const) {
    it(title, () => {
      const whole = typeof text === "string" ? bytes(text) : text
      expect(parse([whole]).events).toEqual(expected)
      expect(parse(byteByByte(whole)).events).toEqual(expected)
    })
  }

  it("has characters of several bytes, cut over chunks (O58, A5)", () => {
    const text = "известни 🚀 知識"
    for (const size of [1, 2, 3, 5]) {
      const whole = bytes(`data: ${text}\n\n`)
      const places = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => i * size)
      expect(parse(cut(whole, places)).events).toEqual([["", text]])
    }
  })

  it("has a separator that is cut over chunks (O72)", () => {
    expect(events("data: a\n", "\ndata: b\n", "\n")).toEqual([
      ["", "a"],
      ["", "b"]
    ])
    expect(events("data: a\r\n", "\r", "\ndata: b", "\r\n\r\n")).toEqual([
      ["", "a"],
      ["", "b"]
    ])
  })

  it("has lines of data with mixed line ends, byte by byte (O71)", () => {
    const whole = bytes("event: m\rdata: 1\r\ndata: 2\ndata: 3\r\r\ndata: 4\n\r\n")
    expect(parse(byteByByte(whole)).events).toEqual([
      ["m", "1\n2\n3"],
      ["", "4"]
    ])
  })

  it("of several megabytes is taken (O79)", () => {
    const data = "x".repeat(5 * 1024 * 1024)
    const { events, fits } = parse(cut(bytes(`data: ${data}\n\ndata: after\n\n`), [1, 65_536, 3_000_000]))
    expect(fits).toBe(true)
    expect(events.map(([, data]) => data.length)).toEqual([data.length, 5])
  })
})

describe("when an event comes out", () => {
  for (const first of ["\n", "\r", "\r\n"]) {
    for (const second of ["\n", "\r", "\r\n"]) {
      const ends = JSON.stringify(first + second)
      // A CR and the LF after it are one line end, not two.
      const isOneEnd = first === "\r" && second === "\n"
      it(`${ends}: ${isOneEnd ? "not yet" : "while the body is still open"} (O68, O69)`, () => {
        expect(parse(byteByByte(bytes(`data: a${first}${second}`))).events).toEqual(isOneEnd ? [] : [["", "a"]])
      })
    }
  }

  it("CRLF that is cut after its CR makes no event of its own (O70)", () => {
    const seen: Array<string> = []
    const parser = Sse.make({ onEvent: (data) => seen.push(data) })
    const after = ["event: e\r", "\n", "data: a\r", "\n", "\r", "\n", "\r", "\n", "data: b\r", "\n\r\n"].map(
      (chunk) => {
        parser.feed(bytes(chunk))
        return seen.length
      }
    )
    expect(after).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 2])
    expect(seen).toEqual(["a", "b"])
  })

  it("empty chunks change nothing, not even between CR and LF", () => {
    expect(events("data: a\r", "", "\n", "", "\r", "", "\n", "")).toEqual([["", "a"]])
  })

  for (const end of ["", "\n", "\r", "\r\n"]) {
    it(`${JSON.stringify(`data: a${end}`)} at the end of the body is dropped (O74)`, () => {
      expect(events(`data: whole\n\ndata: a${end}`)).toEqual([["", "whole"]])
    })
  }

  it("CR CR at the end of the body is one event (O74)", () => {
    expect(events("data: a\r\r")).toEqual([["", "a"]])
  })

  it("nothing after [DONE] is read, be it JSON or not (O59)", () => {
    const reader = WireReader.make(OpenAiChat.make().decoder())
    const chunk = JSON.stringify({ choices: [{ index: 0, delta: { content: "a" }, finish_reason: "stop" }] })
    const seen = reader.feed(bytes(`data: ${chunk}\n\ndata: [DONE]\n\ndata: no JSON\n\n`))
    expect(seen.map((event) => event._tag)).toEqual(["TextDelta", "Finish"])
    expect(reader.state()).toBe("done")
    expect(reader.feed(bytes("data: more\n\n"))).toEqual([])
  })
})

describe("the limit of an event", () => {
  const line = "data: 1234"

  it("an event of exactly the limit fits, one byte more does not", () => {
    expect(parse([bytes(`${line}\n\n`)], { maxEventBytes: line.length })).toEqual({
      events: [["", "1234"]],
      fits: true
    })
    expect(parse([bytes(`${line}\n\n`)], { maxEventBytes: line.length - 1 })).toEqual({ events: [], fits: false })
  })

  it("a line that does not end is stopped as soon as it is too long", () => {
    const parser = Sse.make({ onEvent: () => undefined, maxEventBytes: 100 })
    const answers = Array.from({ length: 12 }, () => parser.feed(bytes("x".repeat(10))))
    expect(answers.indexOf(false)).toBe(10)
  })

  it("the lines of one event count together, named or unknown", () => {
    expect(parse([bytes(`${line}\nevent: e\nfoo: bar\n`)], { maxEventBytes: 25 }).fits).toBe(false)
    expect(parse([bytes(`${line}\n${"data: x\n".repeat(100)}`)], { maxEventBytes: 500 }).fits).toBe(false)
  })

  it("each event begins at zero, and comments do not count", () => {
    const many = `${line}\n: a comment longer than the limit of an event\n\n`.repeat(50)
    expect(parse([bytes(many)], { maxEventBytes: 20 }).fits).toBe(true)
  })

  it("what came whole before the large one is out", () => {
    const { events, fits } = parse([bytes(`data: a\n\ndata: ${"b".repeat(50)}`)], { maxEventBytes: 40 })
    expect({ events, fits }).toEqual({ events: [["", "a"]], fits: false })
  })
})

describe("the cost", () => {
  /** How many bytes are copied into other arrays while this runs. */
  const copied = (run: () => void): number => {
    let count = 0
    const set = Uint8Array.prototype.set
    const spy = vi.spyOn(Uint8Array.prototype, "set").mockImplementation(function (this: Uint8Array, source, offset) {
      count += source.length
      set.call(this, source, offset)
    })
    run()
    spy.mockRestore()
    return count
  }

  it("a long line that comes byte by byte is copied a linear number of times (O73)", () => {
    const cost = (size: number) => {
      const chunks = byteByByte(bytes(`data: ${"x".repeat(size)}\n\n`))
      return copied(() => expect(parse(chunks).events).toEqual([["", "x".repeat(size)]]))
    }
    const [small, large] = [cost(20_000), cost(80_000)]
    expect(small).toBeGreaterThan(20_000)
    expect(large).toBeLessThan(small * 6)
  })

  /** How many characters are read while this runs. */
  const looks = (run: () => void): number => {
    let count = 0
    const { charCodeAt, indexOf } = String.prototype
    const spies = [
      vi.spyOn(String.prototype, "indexOf").mockImplementation(function (this: string, text, from = 0) {
        const found = indexOf.call(this, text, from)
        count += (found === -1 ? this.length : found + 1) - from
        return found
      }),
      vi.spyOn(String.prototype, "charCodeAt").mockImplementation(function (this: string, at) {
        count++
        return charCodeAt.call(this, at)
      })
    ]
    run()
    for (const spy of spies) spy.mockRestore()
    return count
  }

  for (const end of ["\n", "\r\n", "\r"]) {
    it(`a large chunk with line ends of ${JSON.stringify(end)} is looked at a linear number of times`, () => {
      const chunk = bytes(`data: a${end}${end}`.repeat(2000))
      let events = 0
      const parser = Sse.make({
        onEvent: () => {
          events++
        }
      })
      const count = looks(() => parser.feed(chunk))
      expect(events).toBe(2000)
      expect(count).toBeGreaterThan(chunk.length / 2)
      expect(count).toBeLessThan(chunk.length * 4)
    })
  }
})

describe("a CR that ends a line in the middle of a chunk", () => {
  it("takes no line end from the next chunk", () => {
    expect(events(": ping\rdata: a", "\n\ndata: b\n\n")).toEqual([
      ["", "a"],
      ["", "b"]
    ])
    expect(events("event: a\rdata: b", "\n", "\n")).toEqual([["a", "b"]])
  })

  it("as the chunk's last byte takes one LF, over empty chunks too", () => {
    expect(events("data: a\r", "", "\n", "\r", "\ndata: b\r", "\r")).toEqual([
      ["", "a"],
      ["", "b"]
    ])
  })

  it.prop(
    "wherever the chunks are cut before an LF",
    [FastCheck.array(FastCheck.constantFrom("\n", "\r", "\r\n", "data: a", ": x", "event: e"), { maxLength: 30 })],
    ([words]) => {
      const text = words.join("")
      expect(events(...text.split(/(?=\n)/))).toEqual(byTheStandard(text))
    },
    { fastCheck: { numRuns: Effort.runs(300) } }
  )
})

describe("any cut of any bytes gives the same events", () => {
  const pieces = [
    "\n",
    "\r",
    "\r\n",
    ":",
    " ",
    "data: ",
    "data",
    "event: ",
    "error: ",
    "id: 1",
    "\uFEFF",
    "é",
    "🚀",
    "\u2028",
    "a"
  ]
  const stream = FastCheck.array(FastCheck.constantFrom(...pieces), { maxLength: 60 }).map((words) => words.join(""))
  const places = FastCheck.array(FastCheck.nat(400), { maxLength: 20 })

  it.prop(
    "of a stream",
    [stream, places],
    ([text, places]) => {
      expect(parse(cut(bytes(text), places)).events).toEqual(parse([bytes(text)]).events)
      expect(parse(byteByByte(bytes(text))).events).toEqual(parse([bytes(text)]).events)
    },
    { fastCheck: { numRuns: Effort.runs(200) } }
  )

  it.prop(
    "of bytes that mean nothing, and none of them throws",
    [FastCheck.uint8Array({ maxLength: 300 }), places],
    ([whole, places]) => {
      expect(parse(cut(whole, places)).events).toEqual(parse([whole]).events)
    },
    { fastCheck: { numRuns: Effort.runs(200) } }
  )

  it.prop(
    "and they are those of the standard, read line by line",
    [stream],
    ([text]) => {
      expect(events(text)).toEqual(byTheStandard(text))
    },
    { fastCheck: { numRuns: Effort.runs(300) } }
  )
})

/** The standard's rules, applied to the whole text at once, with this parser's two additions. */
const byTheStandard = (text: string): ReadonlyArray<readonly [name: string, data: string]> => {
  const events: Array<readonly [name: string, data: string]> = []
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .slice(0, -1)
  let event: { name: string; data: ReadonlyArray<string> } = { name: "", data: [] }
  for (const line of lines) {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/su.exec(line) ?? []
    if (line === "") {
      // An event that has only a name counts.
      if (event.name !== "" || event.data.length > 0) events.push([event.name, event.data.join("\n")])
      event = { name: "", data: [] }
    } else if (field === "data") event = { ...event, data: [...event.data, value] }
    else if (field === "event") event = { ...event, name: value }
    // GPUStack's field is a name and data in one.
    else if (field === "error") event = { name: "error", data: [value] }
  }
  return events
}
