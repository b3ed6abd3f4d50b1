/** The examples of the documentation: they run, and the README shows the one that it shows. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { Chat, OpenAiCompatible, Provider } from "knowngood"
import { Gateway } from "knowngood/testing"
import { inChinese, notices } from "../docs/examples/retryNotices.js"
import { ask } from "../docs/examples/tools.js"

const provider = (script: Gateway.Script) =>
  Layer.provideMerge(
    OpenAiCompatible.layer({
      id: "test",
      baseUrl: "https://gateway.test/v1",
      model: "m",
      apiKey: Redacted.make("k-1")
    }),
    Gateway.layer(script)
  )

const says = (message: object, finish_reason = "stop") => Gateway.json({ choices: [{ message, finish_reason }] })

describe("the README", () => {
  it("shows docs/examples/quickstart.ts to the letter", () => {
    expect(readFileSync("README.md", "utf8")).toContain(readFileSync("docs/examples/quickstart.ts", "utf8"))
  })
})

describe("tools.ts", () => {
  it.effect("runs what the model calls, tells it of a misfit, and ends with its answer", () =>
    Effect.gen(function* () {
      expect(yield* ask("Rain in Rome?")).toBe("No rain.")
      const [, second, third] = yield* Gateway.requests
      expect(second?.body).toMatchObject({
        messages: [{}, {}, { role: "tool", content: expect.stringContaining("city") }]
      })
      expect(third?.body).toMatchObject({
        messages: [{}, {}, {}, {}, { role: "tool", content: "21 °C and clear in Rome" }]
      })
    }).pipe(
      Effect.provide(
        provider([
          says(
            { tool_calls: [{ id: "a", function: { name: "get_weather", arguments: '{"town":"Rome"}' } }] },
            "tool_calls"
          ),
          says(
            { tool_calls: [{ id: "b", function: { name: "get_weather", arguments: '{"city":"Rome"}' } }] },
            "tool_calls"
          ),
          says({ content: "No rain." })
        ])
      )
    )
  )
})

describe("retryNotices.ts", () => {
  it.live("logs each retry, in English or in Chinese", () =>
    Effect.gen(function* () {
      const call = Provider.complete({ messages: [Chat.user("hi")] })
      const english = yield* call.pipe(Effect.provide(notices))
      const chinese = yield* inChinese(call)
      expect([english.text, chinese.text]).toEqual(["Hi", "Hi"])
    }).pipe(
      Effect.provide(
        provider([Gateway.status(503), says({ content: "Hi" }), Gateway.status(503), says({ content: "Hi" })])
      )
    )
  )
})
