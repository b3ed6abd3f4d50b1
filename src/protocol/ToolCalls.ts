/**
 * Tool calls as they arrive in pieces, and what they are when the answer ends. The same for every wire.
 */
import type * as Chat from "../Chat.js"
import * as Json from "../Json.js"
import * as Fault from "../refusal/Fault.js"

export interface Piece {
  /** Where in the answer its call stands. */
  readonly place: number
  readonly id: string | undefined
  readonly name: string | undefined
  readonly delta: string
  /** What the wire needs to see again with the call. */
  readonly replay?: Chat.Replay | undefined
}

/** @param answerId Of the answer, for calls that come without an id. */
export const make = (answerId: () => string | undefined): ToolCalls => new ToolCalls(answerId)

interface Pending {
  readonly index: number
  id: string
  name: string
  args: string
  replay: Chat.Replay | undefined
  /** Whether it became a call. */
  made: boolean
}

export class ToolCalls {
  /** In the order in which they began. */
  private readonly calls: Array<Pending> = []
  /** The call that a piece without an id continues, by its place. */
  private readonly latest = new Map<number, Pending>()

  constructor(private readonly answerId: () => string | undefined) {}

  size(): number {
    return this.calls.length
  }

  /**
   * A piece of the call at this place in the answer. A later piece may leave id and name out or null (MiMo), and a new
   * id together with a name begins another call though the place is the same (Cerebras; both recorded).
   */
  add(piece: Piece): Chat.Event | undefined {
    const call = this.at(piece)
    if (call.id === "" && piece.id !== undefined) call.id = piece.id
    if (call.name === "" && piece.name !== undefined) call.name = piece.name
    call.args += piece.delta
    if (piece.replay !== undefined) call.replay = merged(call.replay, piece.replay)
    return piece.delta === ""
      ? undefined
      : { _tag: "ToolCallDelta", id: this.idOf(call), name: call.name, delta: piece.delta }
  }

  /** The answer is over: the calls, parsed. Arguments that were cut off make no call. */
  finish(reason: Chat.FinishReason): ReadonlyArray<Chat.Event> | Fault.Fault {
    const events: Array<Chat.Event> = []
    for (const call of this.calls) {
      const input = call.args.trim() === "" ? {} : Json.parseHandedOn(call.args)
      const cutOff = interrupts.has(reason) && (input === undefined || call.args.trim() === "")
      if (cutOff) continue
      if (input === undefined) return Fault.malformed("NotJson", call.args, { tool: call.name })
      if (call.name === "") return Fault.malformed("NotTheProtocol", call.args)
      call.made = true
      events.push({
        _tag: "ToolCall",
        id: this.idOf(call),
        name: call.name,
        input,
        ...(call.replay === undefined ? undefined : { replay: call.replay })
      })
    }
    return events
  }

  /** After `finish`: the id of the call at this place, or `undefined` if none was made. */
  idAt(place: number): string | undefined {
    const call = this.latest.get(place)
    return call?.made ? this.idOf(call) : undefined
  }

  private at({ id, name, place }: Piece): Pending {
    const known = this.latest.get(place)
    const another = known !== undefined && id !== undefined && name !== undefined && known.id !== id && known.id !== ""
    if (known !== undefined && !another) return known
    const call: Pending = {
      index: this.calls.length,
      id: id ?? "",
      name: name ?? "",
      args: "",
      replay: undefined,
      made: false
    }
    this.calls.push(call)
    this.latest.set(place, call)
    return call
  }

  /** The provider's, or one of ours, so that the pieces of two calls can be told apart. */
  private idOf(call: Pending): string {
    return call.id === "" ? `${this.answerId() ?? "call"}_${call.index}` : call.id
  }
}

/** Reasons for which a model stops in the middle of whatever it is at: the limit, or a classifier. */
const interrupts: ReadonlySet<Chat.FinishReason> = new Set(["length", "content-filter"])

/** Fields of a later piece stand beside those of an earlier one. */
const merged = (before: Chat.Replay | undefined, after: Chat.Replay): Chat.Replay => ({
  protocol: after.protocol,
  content: { ...Json.record(before?.content), ...Json.record(after.content) }
})

/** The text of arguments, which some servers send parsed. What cannot be written makes no call without arguments. */
export const argumentsOf = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Json.record(value) === undefined
      ? ""
      : (Json.stringify(value) ?? "JSON nested too deep")

/**
 * Whether the model may choose among tools: the request's, or those that stand in the extra fields or the defaults of a
 * host. A choice among none is a 400.
 */
export const possible = ({ extra, tools }: Chat.Request, defaults: Json.Fields = {}): boolean =>
  (tools !== undefined && tools.length > 0) || Json.array(extra?.["tools"] ?? defaults["tools"]).length > 0
