/**
 * A gateway on loopback that speaks OpenAI's chat and misbehaves by the `Script`. Plain `node:http`, because faults such
 * as a reset at a given byte need the socket itself.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"
import * as Dice from "./Dice.js"
import * as Script from "./Script.js"
import * as Speech from "./Speech.js"

export interface MisbehavingServer {
  /** The base URL. */
  readonly url: string
  /** Requests that arrived, by what went wrong; `well` where nothing did. */
  readonly requests: ReadonlyMap<string, number>
  /** Stops listening, waits for the connections to end by themselves, and says how many did not. */
  readonly close: Effect.Effect<number>
}

/** As long as a connection that nobody uses is kept. */
const keepAlive = 1000

export const make = (seed: number): Effect.Effect<MisbehavingServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const requests = new Map<string, number>()
    const perCall = new Map<number, number>()

    const server = createServer({ keepAliveTimeout: keepAlive }, (incoming, outgoing) => {
      // The client may go at any time; there is nobody to tell then.
      incoming.on("error", () => outgoing.destroy())
      outgoing.on("error", () => incoming.destroy())
      void read(incoming).then((text) => {
        const { call, stream } = questionIn(text)
        const request = (perCall.get(call) ?? 0) + 1
        perCall.set(call, request)
        const fault = Script.faultOf(seed, call, request)
        requests.set(fault ?? "well", (requests.get(fault ?? "well") ?? 0) + 1)
        answer(outgoing, { call, stream, fault, dice: Dice.make("answer", seed, call, request) })
      })
    })

    yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
    const port = yield* Effect.async<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    })

    const count = Effect.async<number>((resume) => {
      server.getConnections((_, open) => resume(Effect.succeed(open)))
    })
    const settled = (rounds: number): Effect.Effect<number> =>
      Effect.flatMap(count, (open) =>
        open === 0 || rounds === 0
          ? Effect.succeed(open)
          : Effect.zipRight(Effect.sleep("50 millis"), settled(rounds - 1))
      )

    return {
      url: `http://127.0.0.1:${port}/v1`,
      requests,
      close: Effect.suspend(() => {
        perCall.clear()
        server.close()
        return settled(100)
      })
    }
  })

const read = async (incoming: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  // A client that goes while it asks leaves no question.
  try {
    for await (const chunk of incoming) chunks.push(chunk)
  } catch {
    return ""
  }
  return Buffer.concat(chunks).toString("utf8")
}

const questionIn = (text: string): { readonly call: number; readonly stream: boolean } => {
  if (text === "") return { call: 0, stream: false }
  const { messages, stream } = JSON.parse(text)
  return { call: Speech.callOf(messages[0].content), stream: stream === true }
}

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

interface Task {
  readonly call: number
  readonly stream: boolean
  readonly fault: Script.Fault | undefined
  readonly dice: Dice.Dice
}

const answer = (outgoing: ServerResponse, task: Task): void => {
  const { dice, fault } = task
  switch (fault) {
    case undefined:
      return send(outgoing, task, wire(task), () => outgoing.end())
    case "slow drip":
      return drip(outgoing, task)
    case "401 for a good key":
      return refuse(outgoing, 401, { message: "Invalid API Key", code: "401", type: "invalid_key" })
    case "429 with Retry-After":
      return refuse(outgoing, 429, { message: "slow down" }, wait(dice))
    case "503":
      return refuse(outgoing, 503, { message: "unavailable" })
    case "503 with Retry-After":
      return refuse(outgoing, 503, { message: "unavailable" }, wait(dice))
    case "no headers":
      return
    case "reset before the headers":
      return reset(outgoing)
    case "reset after the headers":
      return send(outgoing, task, Buffer.alloc(0), () => resetSoon(outgoing))
    case "cut in the middle of an event":
      return send(outgoing, task, part(task), () => resetSoon(outgoing))
    case "clean end in the middle of an event":
      return send(outgoing, task, part(task), () => outgoing.end())
    case "silence after the headers":
      return send(outgoing, task, Buffer.alloc(0), () => undefined)
    case "silence in the middle":
      return send(outgoing, task, part(task), () => undefined)
    case "keep-alives for ever in the middle":
      return send(outgoing, task, events(task), () => keepAlives(outgoing, task))
    case "keep-alives for ever from the start":
      return send(outgoing, task, Buffer.alloc(0), () => keepAlives(outgoing, task))
    case "an error inside the 200 before any output":
      return send(outgoing, task, Buffer.from(failure(task)), () => outgoing.end())
    case "an error inside the 200 in the middle":
      return send(outgoing, task, broken(task), () => outgoing.end())
    case "an error body that never ends":
      outgoing.writeHead(500, { "content-type": "text/html" })
      outgoing.write(`<html>${"internal server error ".repeat((100 * 1024) / 22)}`)
      return
    case "a page instead of an answer":
      outgoing.writeHead(200, { "content-type": "text/html" })
      outgoing.end("<html><body>Sign in to the network</body></html>")
  }
}

/** 10 to 50 ms, in either of the ways that servers write it. */
const wait = (dice: Dice.Dice): Record<string, string> => {
  const millis = 10 + dice.below(40)
  return dice.below(2) === 0 ? { "retry-after-ms": String(millis) } : { "retry-after": String(millis / 1000) }
}

const refuse = (
  outgoing: ServerResponse,
  status: number,
  error: object,
  headers: Record<string, string> = {}
): void => {
  outgoing.writeHead(status, { "content-type": "application/json", ...headers })
  outgoing.end(JSON.stringify({ error }))
}

const reset = (outgoing: ServerResponse): void => {
  outgoing.socket?.resetAndDestroy()
}

/** What was written shall arrive first: a reset throws away what the other side has not read. */
const resetSoon = (outgoing: ServerResponse): void => {
  setTimeout(() => reset(outgoing), 5)
}

/** Headers and bytes, cut at chance places, characters among them, and then what comes after. */
const send = (outgoing: ServerResponse, { dice, stream }: Task, bytes: Buffer, then: () => void): void => {
  outgoing.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" })
  outgoing.flushHeaders()
  const write = (rest: Buffer): void => {
    if (outgoing.destroyed) return
    if (rest.length === 0) return then()
    const cut = 1 + dice.below(800)
    outgoing.write(rest.subarray(0, cut))
    setTimeout(() => write(rest.subarray(cut)), dice.below(3))
  }
  write(bytes)
}

/** The right answer, in some sixty pieces, 8 ms apart. */
const drip = (outgoing: ServerResponse, task: Task): void => {
  const bytes = wire(task)
  const size = Math.ceil(bytes.length / 60)
  outgoing.writeHead(200, { "content-type": task.stream ? "text/event-stream" : "application/json" })
  let sent = 0
  every(8, outgoing, () => {
    outgoing.write(bytes.subarray(sent, sent + size))
    sent += size
    if (sent >= bytes.length) outgoing.end()
  })
}

/** Comments in a stream; empty lines before a whole answer, as DeepSeek writes them. */
const keepAlives = (outgoing: ServerResponse, { stream }: Task): void =>
  every(30, outgoing, () => outgoing.write(stream ? ": keep-alive\n\n" : "\n"))

/** Again and again, so many milliseconds apart, until the answer is over or its reader is gone. */
const every = (millis: number, outgoing: ServerResponse, act: () => void): void => {
  const again = (): void => {
    if (outgoing.destroyed || outgoing.writableEnded) return
    act()
    setTimeout(again, millis)
  }
  again()
}

const wire = ({ call, stream }: Task): Buffer =>
  Buffer.from(stream ? Speech.framesOf(call).join("") : Speech.bodyOf(call))

/** Some of the answer, cut anywhere before what makes it whole. */
const part = (task: Task): Buffer => {
  const frames = Speech.framesOf(task.call)
  const whole = task.stream ? Buffer.from(frames.slice(0, -3).join("")) : wire(task)
  return whole.subarray(0, 1 + task.dice.below(whole.length - 2))
}

/** Some whole events of a stream; of a body, a part. */
const events = (task: Task): Buffer => {
  const frames = Speech.framesOf(task.call)
  const count = 2 + task.dice.below(frames.length - 5)
  return task.stream ? Buffer.from(frames.slice(0, count).join("")) : part(task)
}

/** Some whole events and then the failure; a body has no middle. */
const broken = (task: Task): Buffer =>
  task.stream ? Buffer.concat([events(task), Buffer.from(failure(task))]) : Buffer.from(failure(task))

const failure = ({ stream }: Task): string =>
  stream ? Speech.errorFrame : JSON.stringify({ error: { message: "overloaded", code: "server_busy" } })
