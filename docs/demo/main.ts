/**
 * `npm run demo`: what happens when a gateway answers 401 for a key that works. The HTTP server is real, the keys are
 * not.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Either } from "effect"
import { EmbeddedGateway, layer, places } from "./EmbeddedGateway.js"
import * as LiveService from "./LiveService.js"
import * as Options from "./Options.js"
import * as Page from "./Page.js"
import * as Step from "./Step.js"
import * as Steps from "./Steps.js"
import { type Words, words } from "./Words.js"

const say = (text: string) => Effect.sync(() => process.stdout.write(text))
const complain = (text: string) => Effect.sync(() => process.stderr.write(text))

/** The exit code. */
const run = Effect.suspend(() =>
  Either.match(Options.parse(process.argv.slice(2)), {
    onLeft: ({ lang, problem }) => Effect.as(complain(`${words[lang].problem(problem)}\n${words[lang].seeHelp}\n`), 2),
    onRight: (options) => (options.help ? Effect.as(say(words[options.lang].help), 0) : demo(options))
  })
)

const demo = (options: Options.Options) => {
  const own = words[options.lang]
  const page = options.json ? Page.blank : Page.make(process.stdout, own.seconds)
  const report = (seen: Step.Seen) => (options.json ? say(`${JSON.stringify(seen)}\n`) : Effect.void)
  if (options.provider !== undefined) return live(options.provider, options, page, own, report)
  return embedded(page, own, report).pipe(
    Effect.provide(layer((question) => own.talk.find((turn) => turn.question === question)?.answer ?? question)),
    Effect.catchTag("ServeError", ({ cause }) => Effect.as(complain(`${own.noServer} ${String(cause)}\n`), 1))
  )
}

type Report = (seen: Step.Seen) => Effect.Effect<unknown>

const live = (name: LiveService.Name, choice: LiveService.Choice, page: Page.Page, own: Words, report: Report) =>
  Effect.gen(function* () {
    const seen = yield* LiveService.play(name, choice, page, own)
    yield* report(seen)
    return seen.outcome === "answered" ? 0 : 1
  })

const embedded = (page: Page.Page, own: Words, report: Report) =>
  Effect.gen(function* () {
    const gateway = yield* EmbeddedGateway
    yield* page.heading("", own.title)
    yield* page.paragraph(own.intro(gateway.url, places))
    const steps = yield* Steps.make(gateway, page, own)
    let passed = 0
    for (const [index, step] of steps.entries()) {
      const result = yield* Step.play(step, index + 1, gateway, page, own)
      yield* report(result.seen)
      if (result.passed) passed += 1
      else yield* complain(`${step.id}: ${own.failed(result.seen, step.expected)}\n`)
    }
    yield* page.heading("", own.end(passed, steps.length))
    return passed === steps.length ? 0 : 1
  })

// The reader of the output may close it early, as `head` does.
process.stdout.once("error", () => process.exit(1))

run.pipe(
  Effect.flatMap((code) =>
    Effect.sync(() => {
      process.exitCode = code
    })
  ),
  Effect.provide(NodeHttpClient.layerUndici),
  NodeRuntime.runMain
)
