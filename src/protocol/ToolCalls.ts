/**
 * Puts tool calls together from the pieces in which they arrive. The same for every wire.
 */
import type * as Chat from "../Chat.js"
import * as Json from "../Json.js"
import * as Fault from "../refusal/Fault.js"

export interface Piece {
  /** Which call of the answer it belongs to. */
  readonly place: number
  readonly id: string | undefined
  readonly name: string | undefined
  readonly delta: string
  /** What must be sent back with the call. */
  readonly replay?: Chat.Replay | undefined
}

/** @param answerId The answer's id, from which ids are made for calls that have none. */
export const make = (answerId: () => string | undefined): ToolCalls => new ToolCalls(answerId)

interface Pending {
  readonly index: number
  id: string
  name: string
  args: string
  replay: Chat.Replay | undefined
  /** Whether `finish` made a call of it. */
  made: boolean
}

export class ToolCalls {
  /** In the order in which they began. */
  private readonly calls: Array<Pending> = []
  /** The latest call at each place, which a piece without an id continues. */
  private readonly latest = new Map<number, Pending>()

  constructor(private readonly answerId: () => string | undefined) {}

  size(): number {
    return this.calls.length
  }

  /**
   * Adds a piece to the call at its place. A later piece may lack id and name, or have null there (MiMo), and a new id
   * with a name begins another call even at the same place (Cerebras; both recorded).
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

  /** The answer has ended: the calls, parsed, without those whose arguments were cut off. */
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

  /** The provider's id or, so that the pieces of two calls can be told apart, one of our own. */
  private idOf(call: Pending): string {
    return call.id === "" ? `${this.answerId() ?? "call"}_${call.index}` : call.id
  }
}

/** Reasons for which a model may stop in the middle of a call: the limit, or a classifier. */
const interrupts: ReadonlySet<Chat.FinishReason> = new Set(["length", "content-filter"])

/** The fields of both pieces. The later piece wins where both have one. */
const merged = (before: Chat.Replay | undefined, after: Chat.Replay): Chat.Replay => ({
  protocol: after.protocol,
  content: { ...Json.record(before?.content), ...Json.record(after.content) }
})

/** Arguments as text, though some servers send them parsed. What cannot be written becomes text that is not JSON. */
export const argumentsOf = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Json.record(value) === undefined
      ? ""
      : (Json.stringify(value) ?? "JSON nested too deep")

/**
 * Whether there are tools to choose from: in the request, in its extra fields, or in the defaults of a host. A tool
 * choice without tools is a 400.
 */
export const possible = ({ extra, tools }: Chat.Request, defaults: Json.Fields = {}): boolean =>
  (tools !== undefined && tools.length > 0) || Json.array(extra?.["tools"] ?? defaults["tools"]).length > 0
