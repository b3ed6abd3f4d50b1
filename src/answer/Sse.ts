/**
 * Bytes to server-sent events, a chunk at a time: the parsing half of the WHATWG specification (section 9.2.6).
 *
 * Chunks are cut behind their last line end, which is never inside a UTF-8 sequence, and what is whole is decoded at once:
 * a cut anywhere, inside a character or between CR and LF, changes nothing. Reconnection (`id`, `retry`)
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

  const line = (text: string, start: number, end: number): void => {
    if (start === end) return dispatch()
    size += end - start
    if (text.startsWith("data", start)) {
      const value = valueAt(text, start + 4, end)
      if (value !== -1) data = data === undefined ? text.slice(value, end) : `${data}\n${text.slice(value, end)}`
    } else if (text.startsWith("event", start)) {
      const value = valueAt(text, start + 5, end)
      if (value !== -1) name = text.slice(value, end)
    } else if (text.startsWith("error", start)) {
      // GPUStack reports a failure in a field of its own, `error:`, with no data (recorded).
      const value = valueAt(text, start + 5, end)
      if (value === -1) return
      name = "error"
      data = text.slice(value, end)
    } else if (text.charCodeAt(start) === COLON) size -= end - start
  }

  /** Whole lines, each with its end. `false` when an event outgrew the limit. */
  const lines = (text: string): boolean => {
    const start = atStart && text.charCodeAt(0) === BOM ? 1 : 0
    atStart = false
    // Nearly no provider sends CR, and a search for it inside the loop, even one that is not taken, costs what the loop does.
    return text.includes("\r") ? linesOfAnyEnd(text, start) : linesOfLF(text, start)
  }

  const linesOfLF = (text: string, from: number): boolean => {
    for (let start = from; start < text.length; ) {
      const end = text.indexOf("\n", start)
      line(text, start, end)
      if (size > limit) return false
      start = end + 1
    }
    return true
  }

  const linesOfAnyEnd = (text: string, from: number): boolean => {
    let start = from
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code !== LF && code !== CR) continue
      line(text, start, at)
      if (size > limit) return false
      if (code === CR && text.charCodeAt(at + 1) === LF) at++
      start = at + 1
    }
    return true
  }

  const feed = (chunk: Uint8Array): boolean => {
    const begin = skipLF && chunk[0] === LF ? 1 : 0
    if (chunk.length > 0) skipLF = false
    const end = endOfLines(chunk)
    if (end <= begin) {
      if (size + pending.length + chunk.length - begin > limit) return false
      pending.append(chunk, begin)
      return true
    }
    let from = begin
    if (pending.length > 0) {
      // Only the line that had begun is copied; the block behind it is decoded where it lies.
      from = endOfLine(chunk, begin)
      pending.append(chunk, begin, from)
      if (!lines(decoder.decode(pending.take()))) return false
    }
    if (from < end && !lines(decoder.decode(chunk.subarray(from, end)))) return false
    // Only behind the chunk's last byte may the LF of a CRLF still come. A CR before that has shown what follows it.
    skipLF = end === chunk.length && chunk[end - 1] === CR
    if (end < chunk.length) pending.append(chunk, end)
    return size + pending.length <= limit
  }

  return { feed }
}

const BOM = 0xfeff

/** Behind the first line end of a chunk that has one. */
const endOfLine = (chunk: Uint8Array, from: number): number => {
  const lf = chunk.indexOf(LF, from)
  const cr = chunk.subarray(from, lf === -1 ? chunk.length : lf).indexOf(CR)
  if (cr === -1) return lf + 1
  return chunk[from + cr + 1] === LF ? from + cr + 2 : from + cr + 1
}

/** Behind the last line end; 0 if there is none. */
const endOfLines = (chunk: Uint8Array): number => {
  const lf = chunk.lastIndexOf(LF) + 1
  return lf === chunk.length ? lf : lf + chunk.subarray(lf).lastIndexOf(CR) + 1
}

/** Where the value of a field begins whose name ends here; -1 if the name goes on. A field without a colon is empty. */
const valueAt = (text: string, at: number, end: number): number => {
  if (at === end) return end
  if (text.charCodeAt(at) !== COLON) return -1
  return text.charCodeAt(at + 1) === SPACE && at + 1 < end ? at + 2 : at + 1
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
