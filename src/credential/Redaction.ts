/**
 * Takes out of a text what must not be shown: a known secret, what looks like one, and the characters with which a
 * server could control a terminal or reverse a line.
 *
 * Texts may be megabytes long, such as a truncated answer, so each character is looked at a few times at most, and
 * memory is used only around hits.
 */

/** The shortest piece of a secret that is taken out. */
const gram = 8

const mask = "[redacted]"

/**
 * Servers echo keys whole, cut short, with stars in the middle, and escaped for JSON or a URL; each of these is taken
 * out. A placeholder that only says "no key" is not a secret, and its words may stand in any text.
 */
export const secret = (text: string, secret: string): string => {
  if (isPlaceholder(secret)) return text
  const pieces = new Pieces(secret)
  const spans = merged(plainSpans(text, pieces), escapedSpans(text, pieces, /[\\%]/.test(secret)))
  return without(text, spans, maskFor(secret))
}

/**
 * A value shorter than a piece and without a digit is a word, and no provider issues such a key. The others are what
 * servers that need no key tell their users to write: vLLM `EMPTY`, llama.cpp `sk-no-key-required`, Ollama `ollama`, LM
 * Studio `lm-studio`, and the words around these.
 */
const isPlaceholder = (secret: string): boolean =>
  secret.length < 4 ||
  (secret.length < gram && /^[a-z_-]+$/i.test(secret)) ||
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
 * A key may contain the letters of the mask, which would then show part of it. No key that can be sent has an ellipsis.
 */
const maskFor = (secret: string): string => (/[[\]]|redacted/i.test(secret) ? "…" : mask)

/** A to Z only: some other capitals become two characters, and the places would shift. */
const lower = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code)

/** The last characters that were read, in lower case. Eight, because no piece is longer. */
type Recent = Uint16Array

/**
 * The pieces of a secret, looked up by their last two characters. Two characters that do not occur together in the
 * secret are in no piece of it, so the search skips past them: in most texts it looks at every seventh place.
 */
class Pieces {
  readonly width: number
  private readonly key: string
  /** The sums of all pairs of adjacent characters in the key. */
  private readonly pairs = new Uint8Array(1024)
  /** Where in the key the first piece ends whose last two characters have this sum; 0 if none does. */
  private readonly first = new Int32Array(1024)
  /** The end of the next piece with the same sum, indexed by the end of the one before. */
  private readonly next: Int32Array

  constructor(secret: string) {
    this.key = secret.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    this.width = Math.min(gram, secret.length)
    this.next = new Int32Array(secret.length)
    for (let at = 1; at < this.key.length; at++) this.pairs[this.sumAt(at)] = 1
    const known = new Set<string>()
    for (let end = this.width - 1; end < this.key.length; end++) {
      const piece = this.key.slice(end - this.width + 1, end + 1)
      if (known.has(piece)) continue
      known.add(piece)
      const last = this.sumAt(end)
      this.next[end] = this.first[last] ?? 0
      this.first[last] = end
    }
  }

  /** Whether these two may follow each other in a piece. */
  mayHave(before: number, last: number): boolean {
    return this.pairs[sum(before, last)] === 1
  }

  /** Whether the characters up to this place are a piece. */
  has(recent: Recent, at: number): boolean {
    let end = this.first[sum(recent[(at - 1) & 7], recent[at & 7])] ?? 0
    for (; end !== 0; end = this.next[end] ?? 0) {
      let back = 0
      while (back < this.width && recent[(at - back) & 7] === this.key.charCodeAt(end - back)) back++
      if (back === this.width) return true
    }
    return false
  }

  private sumAt(last: number): number {
    return sum(this.key.charCodeAt(last - 1), this.key.charCodeAt(last))
  }
}

const sum = (before = 0, last = 0): number => (before * 37 + last) & 1023

/** Stretches of a text, in order, none touching another. */
class Spans {
  readonly starts: Array<number> = []
  readonly ends: Array<number> = []

  /** Adds a span that begins no earlier than those before it. */
  add(start: number, end: number): void {
    const last = this.ends.length - 1
    const reached = this.ends[last]
    if (reached !== undefined && start <= reached) this.ends[last] = Math.max(reached, end)
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
    if (pieces.has(recent, last)) spans.add(last - width + 1, last + 1)
    last++
  }
  return spans
}

/** Pieces that contain an escaped character. Only the text around escapes is read, with the escapes undone. */
const escapedSpans = (text: string, pieces: Pieces, hasEscapes: boolean): Spans => {
  const spans = new Spans()
  const escapes = new Escapes(text, hasEscapes)
  const recent: Recent = new Uint16Array(8)
  const starts = new Float64Array(8)
  const around = pieces.width - 1
  for (let at = 0, next = escapes.nextFrom(0); next !== -1; next = escapes.nextFrom(at)) {
    at = Math.max(0, next - around)
    let read = 0
    for (let quiet = 0; at < text.length && (at <= next || quiet < around); read++) {
      const { code, length } = escapes.at(at)
      quiet = length > 1 ? 0 : quiet + 1
      recent[read & 7] = lower(code)
      starts[read & 7] = at
      at += length
      if (read >= around && pieces.has(recent, read)) spans.add(starts[(read - around) & 7] ?? 0, at)
    }
  }
  return spans
}

const BACKSLASH = 92
const PERCENT = 37
const LETTER_U = 117

/** The characters of a text as they were before it was escaped, and how long each has become. */
class Escapes {
  private backslash = -2
  private percent = -2
  private readonly found = { code: 0, length: 1 }

  constructor(
    private readonly text: string,
    /** Whether backslashes and percent signs may belong to the key. If not, an escaped escape is undone, too. */
    private readonly once: boolean
  ) {}

  /** Where the next escape may begin; -1 if nowhere. The places asked for must not decrease. */
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
    return this.is(code, 1)
  }

  private is(code: number, length: number) {
    this.found.code = code
    this.found.length = length
    return this.found
  }

  private backslashed(at: number) {
    const { once, text } = this
    let from = at + 1
    while (!once && text.charCodeAt(from) === BACKSLASH) from++
    if (from === text.length) return this.is(BACKSLASH, from - at)
    if (text.charCodeAt(from) !== LETTER_U) return this.is(text.charCodeAt(from), from + 1 - at)
    const code = text.startsWith("00", from + 1) ? hexAt(text, from + 3) : -1
    return code === -1 || code > 127 ? this.is(BACKSLASH, from - at) : this.is(code, from + 5 - at)
  }

  private percented(at: number) {
    const { once, text } = this
    let from = at + 1
    while (!once && text.startsWith("25", from)) from += 2
    const code = hexAt(text, from)
    if (code >= 32 && code <= 127) return this.is(code, from + 2 - at)
    return this.is(PERCENT, from - at)
  }
}

/** Two hexadecimal digits; -1 if they are not. */
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
 * Takes out anything that looks like a key: `sk-…`, `tp-…`, a bearer token, and a masked one such as `****abcd`
 * (DeepSeek shows the tail of a refused key, OpenAI its head and tail; recorded).
 */
export const shapes = (text: string): string =>
  text
    .replace(/\b(?:sk|tp|pk|rk|xai|gsk|key)-[\w*.-]{6,}/gi, mask)
    .replace(/\bBearer\s+[\w.~+/=*-]{6,}/gi, `Bearer ${mask}`)
    .replace(/(?<![\w-])[\w-]*\*{3,}[\w*-]*/g, mask)
    .replace(/(?:\[redacted\][\w.-]*){2,}/g, mask)

/**
 * Takes out what a reader does not see or a terminal obeys: control characters and ESC sequences, characters that
 * reverse a line or have no width, and halves of characters. White space stays, and so do the two joiners that emoji
 * and some scripts need.
 */
export const controls = (text: string): string => text.replace(commands, "").replace(unseen, "")

/** ECMA-48: ESC [ (or its 8-bit form), parameters, a letter; and ESC ] with all before BEL or ESC \. */
const commands = /(?!\s)\p{Cc}(?:(?:\[|(?<=\x9b))[\d;:?]*[A-Za-z]|\][^\p{Cc}]*(?!\s)\p{Cc}\\?)/gu

const unseen =
  /(?!\s)[\p{Cc}\p{Cs}]|[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/** What a server wrote, as one line that is safe to show, of at most `most` characters. */
export const shown = (text: string, most: number, scrub: (text: string) => string): string =>
  // Far more than is shown gets scrubbed, but not all of it: the text may be megabytes long. Controls first, because
  // they can stand between the letters of a key; cut last, because the mask may be longer.
  cut(scrub(line(controls(cut(text, most * 8 + 512)))), most)

const line = (text: string): string => text.replace(/\s+/g, " ").trim()

/** Never inside a character. */
const cut = (text: string, most: number): string => {
  if (text.length <= most) return text
  const last = text.charCodeAt(most - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most)
}
