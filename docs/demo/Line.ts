/**
 * Text that is written piece by piece. It is broken at the width of the page: between words or, in Chinese, between
 * characters.
 */
export class Line {
  private column: number
  private space = ""

  constructor(
    private readonly start: number,
    private readonly width: number
  ) {
    this.column = start
  }

  /** The piece as it is to be printed, with line breaks and margins. */
  add(piece: string): string {
    return (piece.match(units) ?? []).map((unit) => this.place(unit)).join("")
  }

  private place(unit: string): string {
    if (unit === "\n") return this.turn()
    if (unit.trim() === "") {
      this.space += unit
      return ""
    }
    const size = columns(unit)
    const mayTurn = this.column > this.start && (this.space !== "" || beginsLine.test(unit))
    // A piece that belongs to the word before it may run into the reserve.
    const room = this.width - (mayTurn ? reserve : 0)
    if (this.column > this.start && this.column + this.space.length + size > room) return this.turn() + this.place(unit)
    const placed = this.space + unit
    this.column += this.space.length + size
    this.space = ""
    return placed
  }

  private turn(): string {
    this.column = this.start
    this.space = ""
    return `\n${" ".repeat(this.start)}`
  }
}

/** Columns kept free on the right, for punctuation and word endings that come as separate pieces. */
const reserve = 4

/** Characters that are two columns wide. */
const wide =
  "\\u2E80-\\u303E\\u3041-\\uA4CF\\uAC00-\\uD7A3\\uF900-\\uFAFF\\uFE30-\\uFE6F\\uFF00-\\uFF60\\uFFE0-\\uFFE6" +
  "\\u{1F300}-\\u{1FAFF}\\u{20000}-\\u{3FFFD}"
const opening = "（“《【「"
const closing = "，。：；？！、）”》】」"

/** What stays on one line: a word, or a wide character with the punctuation around it. */
const units = new RegExp(
  `\\n|[^\\S\\n]+|[${opening}]*(?:[${wide}]|[^\\s${wide}${opening}${closing}]+)[${closing}]*|[${opening}${closing}]+`,
  "gu"
)
const beginsLine = new RegExp(`^(?![${closing}])[${wide}${opening}]`, "u")
const wides = new RegExp(`[${wide}]`, "gu")

/** The width of a text in a terminal, in columns. */
export const columns = (text: string): number => [...text].length + (text.match(wides)?.length ?? 0)
