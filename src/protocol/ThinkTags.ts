/**
 * Separates the `<think>…</think>` with which MiniMax and local servers begin a text from the text itself. The pieces
 * may be cut anywhere, even inside a tag.
 */
import type * as Chat from "../Chat.js"

const OPEN = "<think>"
const CLOSE = "</think>"

export const make = (): ThinkTags => new ThinkTags()

export class ThinkTags {
  private where: Where = "head"
  /** White space at the head. Kept apart from `held` so that each piece is examined only once, however many arrive. */
  private white = ""
  /** Text that may be the beginning of a tag. */
  private held = ""

  add(text: string, events: Array<Chat.Event>): void {
    if (this.where === "text") return emit("TextDelta", text, events)
    this.hold(text)
    if (this.where === "head") this.where = this.head()
    if (this.where === "thinking") this.where = this.think(events)
    if (this.where === "text") this.release("TextDelta", events)
  }

  /** The text has ended: what was held back, because a tag might have begun there, is released. */
  end(events: Array<Chat.Event>): void {
    this.release(this.where === "thinking" ? "ReasoningDelta" : "TextDelta", events)
  }

  private hold(text: string): void {
    const start = this.held === "" && this.where === "head" ? text.trimStart() : text
    this.white += text.slice(0, text.length - start.length)
    this.held += start
  }

  private head(): Where {
    if (this.held.length < OPEN.length && OPEN.startsWith(this.held)) return "head"
    if (!this.held.startsWith(OPEN)) return "text"
    this.held = this.held.slice(OPEN.length)
    this.white = ""
    return "thinking"
  }

  /** Emits as thinking all but what may be the beginning of the closing tag. */
  private think(events: Array<Chat.Event>): Where {
    const close = this.held.indexOf(CLOSE)
    const until = close === -1 ? this.held.length - overlap(this.held) : close
    emit("ReasoningDelta", this.held.slice(0, until), events)
    this.held = this.held.slice(close === -1 ? until : close + CLOSE.length)
    return close === -1 ? "thinking" : "text"
  }

  private release(tag: Tag, events: Array<Chat.Event>): void {
    emit(tag, this.white + this.held, events)
    this.white = this.held = ""
  }
}

type Where = "head" | "thinking" | "text"

type Tag = "TextDelta" | "ReasoningDelta"

const emit = (_tag: Tag, text: string, events: Array<Chat.Event>): void => {
  if (text !== "") events.push({ _tag, text })
}

/** How many characters at the end of the text may be the beginning of the closing tag. */
const overlap = (text: string): number => {
  for (let length = Math.min(CLOSE.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(CLOSE.slice(0, length))) return length
  }
  return 0
}
