/** What is read from the body of a 2xx: events, a reply, models, or a fault and what had come before it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as Answer from "../../src/answer/Answer.js"
import type * as Body from "../../src/answer/Body.js"
import * as Provenance from "../../src/answer/Provenance.js"
import type * as Protocol from "../../src/Protocol.js"
import * as OpenAiChat from "../../src/protocol/OpenAiChat.js"
import * as Fault from "../../src/refusal/Fault.js"
import { chunk } from "../Wire.js"
import { broken, bytes, done, end, reading, say } from "./ByHand.js"

const protocol = OpenAiChat.make()

const sse = "text/event-stream"
const json = "application/json"

const hello = say(JSON.stringify(chunk({ content: "Hello, " })))
const world = say(JSON.stringify(chunk({ content: "world" }, { finish_reason: "stop" })))

const whole = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: "Hello, world" }, finish_reason: "stop" }]
})

/** What is read of a body that is all there, and the faults that it fails with. */
const answered = <A>(
  contentType: string | undefined,
  reads: ReadonlyArray<Body.Next>,
  read: (answer: Answer.Answer, protocol: Protocol.Protocol) => Effect.Effect<A, unknown>
) =>
  Effect.gen(function* () {
    const { source, wire } = yield* reading
    const faults: Array<readonly [fault: Fault.Fault, sofar: Answer.SoFar | undefined]> = []
    wire.come(...reads)
    const fail = (fault: Fault.Fault, sofar?: Answer.SoFar) =>
      Effect.suspend(() => {
        faults.push([fault, sofar])
        return Effect.interrupt
      })
    const afterwards = () => (fault: Fault.Fault, partial: string) => fail(fault, { partial, emitted: false })
    const answer = { ...source, contentType: () => contentType, fail, afterwards }
    const exit = yield* Effect.exit(read(answer, protocol))
    return { faults, value: Exit.isSuccess(exit) ? exit.value : undefined }
  })

/** All events of an answer, from its opening to its end. */
const events = (answer: Answer.Answer, protocol: Protocol.Protocol) =>
  Effect.gen(function* () {
    const opened = yield* Answer.open(answer, protocol)
    const all = [...opened.first.events]
    let isDone = opened.first.done
    while (!isDone) {
      yield* Effect.async<void>((resume) => void opened.wait(() => resume(Effect.void)))
      const more = opened.take()
      if (more._tag === "Failed") return yield* more.failure
      all.push(...more.events)
      isDone = more.done
    }
    return all
  })

const text = (answer: Answer.Answer, protocol: Protocol.Protocol) =>
  Effect.map(events(answer, protocol), (events) =>
    events.map((event) => (event._tag === "TextDelta" ? event.text : event._tag)).join("|")
  )

describe("an answer that is opened", () => {
  for (const [what, type, body, expected] of [
    ["is read as it streams", sse, [hello, world, done], "Hello, |world|Finish"],
    ["is read as a stream if no type is named", undefined, [hello, world, done], "Hello, |world|Finish"],
    ["is whole if it is JSON", json, [whole], "Hello, world|Finish"],
    ["is a stream all the same, though it is called JSON", json, [hello, world, done], "Hello, |world|Finish"]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { faults, value } = yield* answered(type, [...body.map(bytes), end], text)
        expect(faults).toEqual([])
        expect(value).toBe(expected)
      })
    )
  }

  for (const [what, type, reads, fault, sofar] of [
    ["no byte", sse, [end], Fault.malformed("Empty"), undefined],
    ["an end before any output", sse, [bytes(": keep-alive\n\n"), end], Fault.cut(), undefined],
    ["a break before any output", sse, [broken], Fault.cut("ECONNRESET"), undefined],
    ["an end after output", sse, [bytes(hello), end], Fault.cut(), { partial: "Hello, ", emitted: true }],
    [
      "a break after output",
      sse,
      [bytes(hello), broken],
      Fault.cut("ECONNRESET"),
      { partial: "Hello, ", emitted: true }
    ],
    ["a page", "text/html", [bytes("<html>"), end], Fault.malformed("NotTheProtocol", "<html>"), undefined],
    ["nothing, called JSON", json, [end], Fault.malformed("Empty"), undefined]
  ] as const) {
    it.effect(`fails by ${what}, and says ${sofar === undefined ? "that nothing" : "what"} had come`, () =>
      Effect.gen(function* () {
        const { faults } = yield* answered(type, reads, events)
        expect(faults).toEqual([[fault, sofar]])
      })
    )
  }
})

describe("a reply", () => {
  const text = (answer: Answer.Answer, protocol: Protocol.Protocol) =>
    Effect.map(Answer.reply(answer, protocol), (reply) => reply.text)

  for (const [what, body, expected] of [
    ["is what the body says", whole, "Hello, world"],
    ["may have white space around it", `\n\n ${whole}\n`, "Hello, world"],
    ["may come as a stream that nobody asked for", hello + world + done, "Hello, world"],
    ["may come as a stream that begins with a comment", `: keep-alive\n\n${hello}${world}${done}`, "Hello, world"],
    ["may come as a stream whose events have names", `event: message\n${hello}${world}${done}`, "Hello, world"]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        expect(yield* answered(json, [bytes(body), end], text)).toEqual({ faults: [], value: expected })
      })
    )
  }

  const nothing: ReadonlyArray<readonly [what: string, reads: ReadonlyArray<Body.Next>, fault: Fault.Fault]> = [
    ["nothing", [end], Fault.malformed("Empty")],
    ["white space", [bytes(" \n"), end], Fault.malformed("Empty")],
    ["broken JSON", [bytes('{"a'), end], Fault.malformed("NotTheProtocol", '{"a')],
    ["a stream without its end", [bytes(hello), end], Fault.cut()]
  ]
  for (const [what, reads, fault] of nothing) {
    it.effect(`is not ${what}`, () =>
      Effect.gen(function* () {
        expect((yield* answered(json, reads, Answer.reply)).faults).toEqual([[fault, undefined]])
      })
    )
  }

  it.effect("in which a fault is found later fails with the facts of its own call", () =>
    Effect.gen(function* () {
      const fault = Fault.malformed("NotJson")
      const stranger = { id: "stranger", credential: undefined }
      const { faults } = yield* answered(json, [bytes(whole), end], (answer, protocol) =>
        Effect.flatMap(Answer.reply(answer, protocol), (reply) => Provenance.fail(reply, fault, stranger))
      )
      expect(faults).toEqual([[fault, { partial: "Hello, world", emitted: false }]])
    })
  )
})

describe("the models", () => {
  it.effect("are those of the list", () =>
    Effect.gen(function* () {
      const { value } = yield* answered(json, [bytes('{"data":[{"id":"a"},{"id":"b"}]}'), end], Answer.models)
      expect(value?.map(({ id }) => id)).toEqual(["a", "b"])
    })
  )

  it.effect("are none where the body is no list", () =>
    Effect.gen(function* () {
      const { faults } = yield* answered(json, [bytes("<html>"), end], Answer.models)
      expect(faults).toEqual([[Fault.malformed("NotTheProtocol", "<html>"), undefined]])
    })
  )
})
