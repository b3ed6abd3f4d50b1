/**
 * `<think>…</think>` at the head of the text, as MiniMax and local servers write it, told apart from the text. The tags
 * may be cut anywhere.
 */
import type * as Chat from "../Chat.js"

export interface ThinkTags {
  readonly add: (text: string, events: Array<Chat.Event>) => void
  /** The text is over: what was held back, because a tag might have begun there, is let go. */
  readonly end: (events: Array<Chat.Event>) => void
}

const OPEN = "<think>"
const CLOSE = "</think>"

export const make = (): ThinkTags => {
  let where: "head" | "thinking" | "text" = "head"
  /** At the head: the white space before anything else. It is looked at once, because servers send it piece by piece. */
  let white = ""
  let held = ""

  const say = (_tag: "TextDelta" | "ReasoningDelta", text: string, events: Array<Chat.Event>) => {
    if (text !== "") events.push({ _tag, text })
  }

  const add = (text: string, events: Array<Chat.Event>): void => {
    if (where === "text") return say("TextDelta", text, events)
    const start = held === "" && where === "head" ? text.trimStart() : text
    white += text.slice(0, text.length - start.length)
    held += start
    if (where === "head") {
      if (held.length < OPEN.length && OPEN.startsWith(held)) return
      where = held.startsWith(OPEN) ? "thinking" : "text"
      held = where === "thinking" ? held.slice(OPEN.length) : white + held
      white = ""
    }
    if (where === "thinking") {
      const close = held.indexOf(CLOSE)
      const keep = close === -1 ? overlap(held) : 0
      say("ReasoningDelta", close === -1 ? held.slice(0, held.length - keep) : held.slice(0, close), events)
      held = close === -1 ? held.slice(held.length - keep) : held.slice(close + CLOSE.length)
      if (close === -1) return
      where = "text"
    }
    say("TextDelta", held, events)
    held = ""
  }

  return {
    add,
    end: (events) => {
      say(where === "thinking" ? "ReasoningDelta" : "TextDelta", white + held, events)
      white = held = ""
    }
  }
}

/** How many characters at the end of the text may be the beginning of the closing tag. */
const overlap = (text: string): number => {
  for (let length = Math.min(CLOSE.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(CLOSE.slice(0, length))) return length
  }
  return 0
}
