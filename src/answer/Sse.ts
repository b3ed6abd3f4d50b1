/**
 * Bytes to server-sent events, a chunk at a time: the parsing half of the WHATWG specification (section 9.2.6).
 *
 * Each chunk is split after its last line end, which is never inside a UTF-8 sequence. The complete lines are decoded
 * at once, and the rest waits for the next chunk; so it changes nothing where a chunk was cut, be it inside a character
 * or between CR and LF. Reconnection (`id`, `retry`) has no meaning for the answer to a POST; those fields are ignored.
 */

export interface Options {
  /** Called for each event, in order. The parser reads ahead no further than the chunk it was given. */
  readonly onEvent: (data: string, name: string) => void
  /** The most bytes that one event may have, its unfinished line included. Default 32 MiB. */
  readonly maxEventBytes?: number
}

const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
const BOM = 0xfeff

/**
 * Makes a parser for one response body. An event that the body ends in the middle of is dropped, as the standard says.
 */
export const make = (options: Options): Parser => new Parser(options)

export class Parser {
  private readonly onEvent: Options["onEvent"]
  private readonly maxEventBytes: number
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  /** The line that has begun and not ended. */
  private readonly unfinished = new Unfinished()
  /** The data of the event so far; `undefined` before its first `data` field. */
  private data: string | undefined
  /** The name of the event so far. */
  private name = ""
  /** The length of the event so far. */
  private size = 0
  /** Whether the last chunk ended in CR: an LF at the start of the next belongs to it. */
  private endedInCR = false
  /** Whether no line has been read yet: only the first may begin with a byte order mark. */
  private atStart = true

  constructor({ maxEventBytes = 32 * 1024 * 1024, onEvent }: Options) {
    this.onEvent = onEvent
    this.maxEventBytes = maxEventBytes
  }

  /** Reads a chunk. `false` if an event exceeded `maxEventBytes`: then the parser must not be used again. */
  feed(chunk: Uint8Array): boolean {
    const start = this.endedInCR && chunk[0] === LF ? 1 : 0
    if (chunk.length > 0) this.endedInCR = false
    const end = endOfLines(chunk)
    if (end <= start) {
      if (this.size + this.unfinished.length + chunk.length - start > this.maxEventBytes) return false
      this.unfinished.append(chunk, start)
      return true
    }
    let from = start
    if (this.unfinished.length > 0) {
      // Only the rest of the unfinished line is copied; the lines after it are decoded where they are.
      from = endOfLine(chunk, start)
      this.unfinished.append(chunk, start, from)
      if (!this.lines(this.decoder.decode(this.unfinished.take()))) return false
    }
    if (from < end && !this.lines(this.decoder.decode(chunk.subarray(from, end)))) return false
    // A CR that is not the chunk's last byte has already shown whether an LF follows it.
    this.endedInCR = end === chunk.length && chunk[end - 1] === CR
    if (end < chunk.length) this.unfinished.append(chunk, end)
    return this.size + this.unfinished.length <= this.maxEventBytes
  }

  /** Reads complete lines, each with its end. `false` if an event exceeded the limit. */
  private lines(text: string): boolean {
    const start = this.atStart && text.charCodeAt(0) === BOM ? 1 : 0
    this.atStart = false
    // Almost no provider sends CR, and merely looking for it inside the loop would double the cost of the loop.
    return text.includes("\r") ? this.linesOfAnyEnd(text, start) : this.linesOfLF(text, start)
  }

  private linesOfLF(text: string, from: number): boolean {
    for (let start = from; start < text.length; ) {
      const end = text.indexOf("\n", start)
      this.line(text, start, end)
      if (this.size > this.maxEventBytes) return false
      start = end + 1
    }
    return true
  }

  private linesOfAnyEnd(text: string, from: number): boolean {
    let start = from
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code !== LF && code !== CR) continue
      this.line(text, start, at)
      if (this.size > this.maxEventBytes) return false
      if (code === CR && text.charCodeAt(at + 1) === LF) at++
      start = at + 1
    }
    return true
  }

  private line(text: string, start: number, end: number): void {
    if (start === end) return this.dispatch()
    this.size += end - start
    if (text.startsWith("data", start)) {
      const value = valueAt(text, start + 4, end)
      if (value === -1) return
      const line = text.slice(value, end)
      this.data = this.data === undefined ? line : `${this.data}\n${line}`
    } else if (text.startsWith("event", start)) {
      const value = valueAt(text, start + 5, end)
      if (value !== -1) this.name = text.slice(value, end)
    } else if (text.startsWith("error", start)) {
      // GPUStack reports a failure in a field of its own, `error:`, with no data (recorded).
      const value = valueAt(text, start + 5, end)
      if (value === -1) return
      this.name = "error"
      this.data = text.slice(value, end)
    } else if (text.charCodeAt(start) === COLON) {
      // A comment is no part of the event.
      this.size -= end - start
    }
  }

  private dispatch(): void {
    const { data, name } = this
    this.data = undefined
    this.name = ""
    this.size = 0
    if (data !== undefined || name !== "") this.onEvent(data ?? "", name)
  }
}

/** The index after the first line end. The chunk has one. */
const endOfLine = (chunk: Uint8Array, from: number): number => {
  const lf = chunk.indexOf(LF, from)
  const cr = chunk.subarray(from, lf === -1 ? chunk.length : lf).indexOf(CR)
  if (cr === -1) return lf + 1
  return chunk[from + cr + 1] === LF ? from + cr + 2 : from + cr + 1
}

/** The index after the last line end; 0 if there is none. */
const endOfLines = (chunk: Uint8Array): number => {
  const lf = chunk.lastIndexOf(LF) + 1
  return lf === chunk.length ? lf : lf + chunk.subarray(lf).lastIndexOf(CR) + 1
}

/** Where the value of a field begins, whose name ends here; -1 if the name goes on. Without a colon it is empty. */
const valueAt = (text: string, at: number, end: number): number => {
  if (at === end) return end
  if (text.charCodeAt(at) !== COLON) return -1
  return text.charCodeAt(at + 1) === SPACE && at + 1 < end ? at + 2 : at + 1
}

/** Above this many bytes, the buffer is not kept for the next line. */
const usualLine = 64 * 1024

/** An unfinished line. Its buffer doubles as it grows, so a line that comes byte by byte is copied in linear time. */
class Unfinished {
  /** How many bytes the line has so far. */
  length = 0
  private buffer = new Uint8Array(0)

  append(bytes: Uint8Array, start: number, end = bytes.length): void {
    const length = this.length + (end - start)
    if (length > this.buffer.length) {
      const buffer = new Uint8Array(Math.max(256, length * 2))
      buffer.set(this.buffer.subarray(0, this.length))
      this.buffer = buffer
    }
    this.buffer.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.length)
    this.length = length
  }

  /** The line, which is valid until the next `append`. The next line begins empty. */
  take(): Uint8Array {
    const line = this.buffer.subarray(0, this.length)
    this.length = 0
    if (this.buffer.length > usualLine) this.buffer = new Uint8Array(0)
    return line
  }
}
