/**
 * Removes from a text what must not be shown: a known secret, anything that looks like one, and the characters with
 * which a server could control a terminal or reverse a line.
 *
 * A text may be megabytes long, such as a truncated answer, so each character is read a few times at most, and memory
 * is used only where something is found.
 */

/** The shortest piece of a secret that is removed, in characters. */
const pieceLength = 8

const mask = "[redacted]"

/**
 * Removes a known secret. Servers echo keys in full, cut short, with asterisks in the middle, or escaped for JSON or a
 * URL; all of these are removed. A placeholder that only says "no key" is no secret, and its words may occur in any
 * text.
 */
export const secret = (text: string, secret: string): string => {
  if (isPlaceholder(secret)) return text
  const pieces = new Pieces(secret)
  const spans = merged(plainSpans(text, pieces), escapedSpans(text, pieces, /[\\%]/.test(secret)))
  return without(text, spans, maskFor(secret))
}

/**
 * A short value without a digit is a word, and no provider issues such a key. The rest is what servers that need no key
 * tell their users to write: vLLM `EMPTY`, llama.cpp `sk-no-key-required`, Ollama `ollama`, LM Studio `lm-studio`, and
 * similar words.
 */
const isPlaceholder = (secret: string): boolean =>
  secret.length < 4 ||
  (secret.length < pieceLength && /^[a-z_-]+$/i.test(secret)) ||
  /^(x+|\*+|\.+)$/i.test(secret) ||
  secret
    .toLowerCase()
    .split(/[-_]+/)
    .every((word) => placeholderWords.has(word))

const placeholderWords: ReadonlySet<string> = new Set(
  (
    "sk no not none null undefined empty unused dummy fake placeholder anything any local localhost key api apikey " +
    "your here is needed required necessary ollama vllm lm lmstudio studio llama llamacpp cpp"
  ).split(" ")
)

/**
 * A key may contain part of the mask, which would then give that part away. No key that can be sent has an ellipsis.
 */
const maskFor = (secret: string): string => (/[[\]]|redacted/i.test(secret) ? "…" : mask)

/** A to Z only: some other capitals become two characters in lower case, which would shift all positions. */
const lower = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code)

/** The last eight characters that were read, in lower case, each at its position modulo 8. No piece is longer. */
type Recent = Uint16Array

/**
 * The pieces of a secret, found by their last two characters. Two characters that are not adjacent anywhere in the
 * secret are in no piece of it, so the search skips past them: in most texts it looks at every seventh position.
 */
class Pieces {
  /** The length of each piece. */
  readonly width: number
  /** The secret in lower case. */
  private readonly key: string
  /** 1 for the hash of each pair of adjacent characters in the key. */
  private readonly pairs = new Uint8Array(1024)
  /** By the hash of its last two characters: where in the key a piece ends; 0 if there is none. */
  private readonly ends = new Int32Array(1024)
  /** By where a piece ends: where another with the same hash ends; 0 if there is none. */
  private readonly nextEnds: Int32Array

  constructor(secret: string) {
    this.key = secret.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    this.width = Math.min(pieceLength, secret.length)
    this.nextEnds = new Int32Array(secret.length)
    for (let at = 1; at < this.key.length; at++) this.pairs[this.hashAt(at)] = 1
    const known = new Set<string>()
    for (let end = this.width - 1; end < this.key.length; end++) {
      const piece = this.key.slice(end - this.width + 1, end + 1)
      if (known.has(piece)) continue
      known.add(piece)
      const hash = this.hashAt(end)
      this.nextEnds[end] = this.ends[hash] ?? 0
      this.ends[hash] = end
    }
  }

  /** Whether these two characters may be adjacent in a piece. */
  mayHave(before: number, last: number): boolean {
    return this.pairs[pairHash(before, last)] === 1
  }

  /** Whether the characters up to and including this position are a piece. */
  endAt(recent: Recent, at: number): boolean {
    let end = this.ends[pairHash(recent[(at - 1) & 7], recent[at & 7])] ?? 0
    for (; end !== 0; end = this.nextEnds[end] ?? 0) {
      let back = 0
      while (back < this.width && recent[(at - back) & 7] === this.key.charCodeAt(end - back)) back++
      if (back === this.width) return true
    }
    return false
  }

  private hashAt(last: number): number {
    return pairHash(this.key.charCodeAt(last - 1), this.key.charCodeAt(last))
  }
}

const pairHash = (before = 0, last = 0): number => (before * 37 + last) & 1023

/** Parts of a text, in order, none touching another. */
class Spans {
  readonly starts: Array<number> = []
  readonly ends: Array<number> = []

  /** Adds a span that begins no earlier than the last one. Spans that touch become one. */
  add(start: number, end: number): void {
    const last = this.ends.length - 1
    const lastEnd = this.ends[last]
    if (lastEnd !== undefined && start <= lastEnd) this.ends[last] = Math.max(lastEnd, end)
    else {
      this.starts.push(start)
      this.ends.push(end)
    }
  }
}

const merged = (some: Spans, others: Spans): Spans => {
  if (others.starts.length === 0) return some
  const all = new Spans()
  let i = 0
  let j = 0
  while (i < some.starts.length || j < others.starts.length) {
    const from = (some.starts[i] ?? Infinity) <= (others.starts[j] ?? Infinity) ? some : others
    const at = from === some ? i++ : j++
    all.add(from.starts[at] ?? 0, from.ends[at] ?? 0)
  }
  return all
}

const without = (text: string, { ends, starts }: Spans, mask: string): string => {
  let out = ""
  let from = 0
  for (const [i, start] of starts.entries()) {
    out += text.slice(from, start) + mask
    from = ends[i] ?? text.length
  }
  return from === 0 ? text : out + text.slice(from)
}

/** Where pieces occur as they are. */
const plainSpans = (text: string, pieces: Pieces): Spans => {
  const spans = new Spans()
  const recent: Recent = new Uint16Array(8)
  const { width } = pieces
  for (let last = width - 1; last < text.length; ) {
    if (!pieces.mayHave(lower(text.charCodeAt(last - 1)), lower(text.charCodeAt(last)))) {
      last += width - 1
      continue
    }
    for (let at = last - width + 1; at <= last; at++) recent[at & 7] = lower(text.charCodeAt(at))
    if (pieces.endAt(recent, last)) spans.add(last - width + 1, last + 1)
    last++
  }
  return spans
}

/** Where pieces occur that contain an escape. Only the text around escapes is read, with the escapes undone. */
const escapedSpans = (text: string, pieces: Pieces, hasEscapes: boolean): Spans => {
  const spans = new Spans()
  const escapes = new Escapes(text, hasEscapes)
  const recent: Recent = new Uint16Array(8)
  const starts = new Float64Array(8)
  /** How many characters of a piece may come before an escape in it, or after it. */
  const reach = pieces.width - 1
  for (let at = 0, next = escapes.nextFrom(0); next !== -1; next = escapes.nextFrom(at)) {
    at = Math.max(0, next - reach)
    let count = 0
    for (let sinceEscape = 0; at < text.length && (at <= next || sinceEscape < reach); count++) {
      const { code, length } = escapes.at(at)
      sinceEscape = length > 1 ? 0 : sinceEscape + 1
      recent[count & 7] = lower(code)
      starts[count & 7] = at
      at += length
      if (count >= reach && pieces.endAt(recent, count)) spans.add(starts[(count - reach) & 7] ?? 0, at)
    }
  }
  return spans
}

const BACKSLASH = 92
const PERCENT = 37
const LETTER_U = 117

/** The characters of a text as they were before it was escaped, and the length of each as it stands there. */
class Escapes {
  /** The next backslash; -1 if there is none, -2 before the first search. */
  private backslash = -2
  /** The next percent sign, likewise. */
  private percent = -2
  /** The result of `at`: one object for all calls, because there may be millions. */
  private readonly result = { code: 0, length: 1 }

  constructor(
    private readonly text: string,
    /** Whether only one level of escapes is undone, because backslashes or percent signs may belong to the key. */
    private readonly isSingle: boolean
  ) {}

  /** Where the next escape may begin; -1 if nowhere. `from` must not decrease from call to call. */
  nextFrom(from: number): number {
    if (this.backslash !== -1 && this.backslash < from) this.backslash = this.text.indexOf("\\", from)
    if (this.percent !== -1 && this.percent < from) this.percent = this.text.indexOf("%", from)
    if (this.backslash === -1 || this.percent === -1) return Math.max(this.backslash, this.percent)
    return Math.min(this.backslash, this.percent)
  }

  /** The result is valid until the next call. */
  at(at: number): { readonly code: number; readonly length: number } {
    const code = this.text.charCodeAt(at)
    if (code === BACKSLASH) return this.backslashed(at)
    if (code === PERCENT) return this.percented(at)
    return this.character(code, 1)
  }

  private character(code: number, length: number) {
    this.result.code = code
    this.result.length = length
    return this.result
  }

  private backslashed(at: number) {
    const { isSingle, text } = this
    let from = at + 1
    while (!isSingle && text.charCodeAt(from) === BACKSLASH) from++
    if (from === text.length) return this.character(BACKSLASH, from - at)
    if (text.charCodeAt(from) !== LETTER_U) return this.character(text.charCodeAt(from), from + 1 - at)
    const code = text.startsWith("00", from + 1) ? hexAt(text, from + 3) : -1
    return code === -1 || code > 127 ? this.character(BACKSLASH, from - at) : this.character(code, from + 5 - at)
  }

  private percented(at: number) {
    const { isSingle, text } = this
    let from = at + 1
    while (!isSingle && text.startsWith("25", from)) from += 2
    const code = hexAt(text, from)
    if (code >= 32 && code <= 127) return this.character(code, from + 2 - at)
    return this.character(PERCENT, from - at)
  }
}

/** The value of two hexadecimal digits; -1 if they are not. */
const hexAt = (text: string, at: number): number => {
  const high = hexDigit(text.charCodeAt(at))
  const low = hexDigit(text.charCodeAt(at + 1))
  return high === -1 || low === -1 ? -1 : high * 16 + low
}

const hexDigit = (code: number): number => {
  if (code >= 48 && code <= 57) return code - 48
  const letter = lower(code)
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

/**
 * Removes anything that looks like a key: `sk-…`, `tp-…`, a bearer token, or a masked key such as `****abcd` (DeepSeek
 * shows the end of a refused key, OpenAI its beginning and end; recorded).
 */
export const shapes = (text: string): string =>
  text
    .replace(/\b(?:sk|tp|pk|rk|xai|gsk|key)-[\w*.-]{6,}/gi, mask)
    .replace(/\bBearer\s+[\w.~+/=*-]{6,}/gi, `Bearer ${mask}`)
    .replace(/(?<![\w-])[\w-]*\*{3,}[\w*-]*/g, mask)
    .replace(/(?:\[redacted\][\w.-]*){2,}/g, mask)

/**
 * Removes what a reader cannot see or a terminal would obey: control characters and ESC sequences, characters that
 * reverse a line or have no width, and lone surrogates. White space stays, and so do the two joiners that emoji and
 * some scripts need.
 */
export const controls = (text: string): string => text.replace(commands, "").replace(invisible, "")

/** ECMA-48: ESC [ (or its 8-bit form), parameters, a letter; and ESC ] with everything up to BEL or ESC \. */
const commands = /(?!\s)\p{Cc}(?:(?:\[|(?<=\x9b))[\d;:?]*[A-Za-z]|\][^\p{Cc}]*(?!\s)\p{Cc}\\?)/gu

const invisible =
  /(?!\s)[\p{Cc}\p{Cs}]|[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/** What a server wrote, as one line that is safe to show, of at most `most` characters. `scrub` removes the key. */
export const shown = (text: string, most: number, scrub: (text: string) => string): string =>
  // The text may be megabytes long, so not all of it is scrubbed, but far more than is shown. Controls are removed first,
  // because they can stand between the letters of a key; the cut comes last, because the mask may be longer than the key.
  cut(scrub(oneLine(controls(cut(text, most * 8 + 512)))), most)

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim()

/** The first characters of a text. It is never cut inside a surrogate pair. */
const cut = (text: string, most: number): string => {
  if (text.length <= most) return text
  const last = text.charCodeAt(most - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most)
}
