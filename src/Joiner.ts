/**
 * Text from many small pieces, kept in few: a chain of 200,000 strings takes ten times the room of their text.
 */

export interface Joiner {
  readonly add: (text: string) => void
  /** All of it. */
  readonly join: () => string
}

/** So many pieces are kept apart. */
const piecesInABlock = 1024

export const make = (): Joiner => {
  const blocks: Array<string> = []
  let pieces: Array<string> = []
  return {
    add: (text) => {
      if (pieces.push(text) < piecesInABlock) return
      blocks.push(pieces.join(""))
      pieces = []
    },
    join: () => blocks.join("") + pieces.join("")
  }
}
