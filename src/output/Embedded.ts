/**
 * JSON with other words around it: a model that was asked for JSON alone may still say a sentence before it, or put it
 * into a fenced block.
 */
import * as Json from "../Json.js"

/**
 * The first object that stands complete in the text, or the first array if there is none; `undefined` without either.
 * What is complete inside an object or array that the text breaks off in does not count. Linear in the text.
 */
export const find = (text: string): unknown => {
  const found = search(text)
  const first = found.find(({ start }) => text[start] === "{") ?? found[0]
  return first === undefined ? undefined : Json.parseHandedOn(text.slice(first.start, first.end))
}

/** An object or array, complete. */
interface Piece {
  readonly start: number
  readonly end: number
}

/** An object or array that is open. */
interface Open {
  readonly start: number
  readonly isObject: boolean
  /** Nothing was read inside. */
  isFresh: boolean
  /** The tokens that may come now: `o` opens, `s` is a string, `l` another literal; marks stand for themselves. */
  next: string
}

const value = "osl"

/** All that are complete, none inside another. Reads on from where JSON ends to be JSON. */
const search = (text: string): ReadonlyArray<Piece> => {
  const found: Array<Piece> = []
  let open: Array<Open> = []
  // Where a string begins that stands right behind the outermost opening: `say "{" and …` has none.
  let doubtful: number | undefined
  for (let at = opening(text, 0); at !== -1; ) {
    const { end, kind, start } = tokenAt(text, at)
    if (kind === "end") return found.filter((piece) => piece.start < (open[0]?.start ?? text.length))
    const inner = open.at(-1)
    if (inner !== undefined && !inner.next.includes(kind)) {
      // Whatever is open is no JSON, because each of them would end here. What is complete inside may be some.
      open = []
      at = opening(text, doubtful ?? start)
      doubtful = undefined
      continue
    }
    at = end
    doubtful = kind === "s" && open.length === 1 && inner?.isFresh === true ? start : undefined
    if (inner !== undefined) {
      inner.next = follows(inner, kind)
      inner.isFresh = false
    }
    if (kind === "o") {
      const isObject = text[start] === "{"
      open.push({ start, isObject, isFresh: true, next: isObject ? "s}" : `${value}]` })
    } else if (kind === "}" || kind === "]") {
      open.pop()
      complete(found, { start: inner?.start ?? start, end })
      if (open.length === 0) at = opening(text, end)
    }
  }
  return found
}

/** What was found inside it is a part of it. */
const complete = (found: Array<Piece>, piece: Piece): void => {
  while ((found.at(-1)?.start ?? -1) > piece.start) found.pop()
  found.push(piece)
}

/** What may come after a token that may come. */
const follows = ({ isObject, next }: Open, kind: string): string => {
  if (kind === ":") return value
  if (kind === ",") return isObject ? "s" : value
  if (kind === "s" && isObject && next !== value) return ":"
  return isObject ? ",}" : ",]"
}

interface Token {
  readonly start: number
  readonly end: number
  readonly kind: string
}

const tokenAt = (text: string, at: number): Token => {
  space.lastIndex = at
  space.test(text)
  const start = space.lastIndex
  literal.lastIndex = start
  const [token = "", mark, string] = literal.exec(text) ?? []
  const end = start + token.length
  if (token === "") {
    cutOff.lastIndex = start
    return { start, end, kind: cutOff.test(text) ? "end" : "none" }
  }
  return { start, end, kind: mark === undefined ? (string === undefined ? "l" : "s") : /[{[]/.test(mark) ? "o" : mark }
}

const space = /[ \t\r\n]*/y

/** A string is one token, whatever stands in it. */
const literal =
  /([{}[\],:])|("[^"\\\r\n]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\r\n]*)*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y

/** The text ends here, or in the middle of a token. */
const cutOff = /(?:"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*\\?|[-+.\w]*)$/y

const opening = (text: string, from: number): number => {
  const rest = /[{[]/g
  rest.lastIndex = from
  return rest.exec(text)?.index ?? -1
}
