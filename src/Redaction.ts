/**
 * Secrets taken out of a text: one that is known, and what looks like one.
 */

/** The shortest piece of a secret that is taken out. */
const gram = 8

/** What is shorter is a placeholder for a server that wants no key, and its letters stand in every text. */
const shortest = 4
const mask = "[redacted]"

/**
 * Servers echo keys whole, cut short, with stars in the middle, and escaped for JSON or a URL; each of these is taken
 * out.
 */
export const secret = (text: string, secret: string): string => {
  if (secret.length < shortest) return text
  const marked = new Uint8Array(text.length)
  const pieces = piecesOf(lower(secret))
  for (const { plain, starts } of [asItIs(text), unescaped(text)]) {
    for (let i = 0; i + pieces.width <= plain.length; i++) {
      if (pieces.all.has(plain.slice(i, i + pieces.width))) marked.fill(1, starts[i], starts[i + pieces.width])
    }
  }
  return unmark(text, marked)
}

const piecesOf = (key: string): { readonly width: number; readonly all: ReadonlySet<string> } => {
  const width = Math.min(gram, key.length)
  return { width, all: new Set(Array.from({ length: key.length - width + 1 }, (_, i) => key.slice(i, i + width))) }
}

/** A text in lower case, and where each of its characters begins in the original. */
interface Read {
  readonly plain: string
  readonly starts: ReadonlyArray<number>
}

const asItIs = (text: string): Read => ({
  plain: lower(text),
  starts: Array.from({ length: text.length + 1 }, (_, i) => i)
})

/** A to Z only: some other capitals become two characters, and the places would shift. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** As it was before it was escaped. */
const unescaped = (text: string): Read => {
  const starts: Array<number> = []
  let plain = ""
  for (let i = 0; i < text.length; ) {
    const escaped =
      text[i] === "\\" || text[i] === "%"
        ? /^(?:\\u00([0-7]\w)|%([2-7][\da-f])|\\([^u]))/i.exec(text.slice(i, i + 6))
        : null
    const code = escaped?.[1] ?? escaped?.[2]
    starts.push(i)
    plain += code === undefined ? (escaped?.[3] ?? text[i]) : String.fromCharCode(Number.parseInt(code, 16) || 63)
    i += escaped?.[0].length ?? 1
  }
  return { plain: lower(plain), starts: [...starts, text.length] }
}

const unmark = (text: string, marked: Uint8Array): string => {
  let out = ""
  for (let i = 0; i < text.length; i++) {
    if (marked[i] === 0) out += text[i]
    else if (i === 0 || marked[i - 1] === 0) out += mask
  }
  return out
}

/**
 * Takes out what looks like a key, whoever's it is: `sk-…`, `tp-…`, a bearer token, and a masked one such as
 * `****abcd` (DeepSeek shows the tail of a refused key, OpenAI its head and tail; recorded).
 */
export const shapes = (text: string): string =>
  text
    .replace(/\b(?:sk|tp|pk|rk|xai|gsk|key)-[\w*.-]{6,}/gi, mask)
    .replace(/\bBearer\s+[\w.~+/=*-]{6,}/gi, `Bearer ${mask}`)
    .replace(/(?<![\w-])[\w-]*\*{3,}[\w*-]*/g, mask)
    .replace(/(?:\[redacted\][\w.-]*){2,}/g, mask)
