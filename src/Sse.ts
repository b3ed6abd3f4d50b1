/**
 * Bytes to server-sent events, a chunk at a time: the parsing half of the WHATWG specification (section 9.2.6).
 *
 * Lines are split on bytes, because CR and LF never occur inside a UTF-8 sequence: a cut anywhere, inside a character
 * or between CR and LF, changes nothing, and only what belongs to an event is decoded. Reconnection (`id`, `retry`)
 * has no meaning for the answer to a POST; those fields are ignored.
 */

export interface Options {
  /** Called for each event, in order. The parser reads ahead no further than the chunk it was given. */
  readonly onEvent: (data: string, name: string) => void
  /** The most bytes that one event may have, its unfinished line included. Default 32 MiB. */
  readonly maxEventBytes?: number
}

export interface Parser {
  /** Reads a chunk. `false` when an event outgrew `maxEventBytes`: the parser is of no more use then. */
  readonly feed: (bytes: Uint8Array) => boolean
}

const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
const BOM = [0xef, 0xbb, 0xbf]

/** Makes a parser for one response body. An event that the body ends in the middle of is dropped, as the standard says. */
export const make = (options: Options): Parser => {
  const limit = options.maxEventBytes ?? 32 * 1024 * 1024
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const pending = new Pending()
  let data: string | undefined
  let name = ""
  let size = 0
  let skipLF = false
  let atStart = true

  const dispatch = () => {
    if (data !== undefined || name !== "") options.onEvent(data ?? "", name)
    data = undefined
    name = ""
    size = 0
  }

  const line = (bytes: Uint8Array, start: number, end: number): void => {
    if (atStart) {
      atStart = false
      if (BOM.every((byte, i) => bytes[start + i] === byte)) start += BOM.length
    }
    if (start === end) return dispatch()
    if (bytes[start] === COLON) return
    size += end - start
    let colon = start
    while (colon < end && bytes[colon] !== COLON) colon++
    const value = bytes[colon + 1] === SPACE ? colon + 2 : colon + 1
    field(bytes, start, colon, Math.min(value, end), end)
  }

  const field = (bytes: Uint8Array, start: number, colon: number, value: number, end: number): void => {
    if (is("data", bytes, start, colon)) {
      const text = decoder.decode(bytes.subarray(value, end))
      data = data === undefined ? text : `${data}\n${text}`
    } else if (is("event", bytes, start, colon)) {
      name = decoder.decode(bytes.subarray(value, end))
    } else if (is("error", bytes, start, colon)) {
      // GPUStack reports a failure in a field of its own, `error:`, with no data (recorded).
      name = "error"
      data = decoder.decode(bytes.subarray(value, end))
    }
  }

  const feed = (chunk: Uint8Array): boolean => {
    let position = 0
    if (skipLF && chunk.length > 0) {
      skipLF = false
      if (chunk[0] === LF) position = 1
    }
    // One native search a chunk tells whether the slow line ends occur at all; nearly no provider sends CR.
    let cr = chunk.indexOf(CR, position)
    let lf = chunk.indexOf(LF, position)
    while (position < chunk.length) {
      if (lf !== -1 && lf < position) lf = chunk.indexOf(LF, position)
      if (cr !== -1 && cr < position) cr = chunk.indexOf(CR, position)
      const end = cr !== -1 && (lf === -1 || cr < lf) ? cr : lf
      if (end === -1) {
        if (size + pending.length + chunk.length - position > limit) return false
        pending.append(chunk, position)
        return true
      }
      if (pending.length === 0) line(chunk, position, end)
      else {
        pending.append(chunk, position, end)
        const whole = pending.take()
        line(whole, 0, whole.length)
      }
      if (size > limit) return false
      position = end + 1
      if (end === cr) {
        if (position === chunk.length) skipLF = true
        else if (chunk[position] === LF) position++
      }
    }
    return true
  }

  return { feed }
}

const is = (word: string, bytes: Uint8Array, start: number, end: number): boolean => {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false
  return true
}

/** An unfinished line. It doubles its room as it grows, so a body that comes byte by byte is copied a linear number of times. */
class Pending {
  private room = new Uint8Array(0)
  length = 0

  append(bytes: Uint8Array, start: number, end = bytes.length): void {
    const length = this.length + (end - start)
    if (length > this.room.length) {
      const room = new Uint8Array(Math.max(256, length * 2))
      room.set(this.room.subarray(0, this.length))
      this.room = room
    }
    this.room.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.length)
    this.length = length
  }

  take(): Uint8Array {
    const line = this.room.subarray(0, this.length)
    this.length = 0
    // A line that was far larger than the usual one gives its room back.
    if (this.room.length > 64 * 1024) this.room = new Uint8Array(0)
    return line
  }
}
