/** How large a browser's download becomes: the same on every machine, so a test can hold it. */
import { describe, expect, it } from "@effect/vitest"
import * as Bundle from "./Bundle.js"

const kb = (bytes: number) => bytes / 1024

describe("the smallest program that streams a chat, for a browser, minified and gzipped", () => {
  // What guards a program in trouble costs 12 KB: the gate's line and window, bodies that middleware has touched, refusals
  // that quote their user, a mismatch in one line. `Provider` carries what a program does not use of it, too: objects, which
  // are 9 KB, a third of them Effect's `JSONSchema`.
  it("fits in 128 KB, Effect included", async () => {
    const { gzip } = await Bundle.size("knowngood")
    expect(kb(gzip)).toBeLessThan(128)
  })

  it("has at most 41 KB that are not Effect", async () => {
    const { gzip } = await Bundle.size("knowngood", Bundle.withoutEffect)
    expect(kb(gzip)).toBeLessThan(41)
  })

  it("leaves out what it does not use: the other wire, the schemas, the words for users, the shared memory", async () => {
    const { files } = await Bundle.size("knowngood", Bundle.withoutEffect)
    expect(
      files.filter((file) => /AnthropicMessages|ChatSchema|JsonValue|explain\/|fleet\/|testing\//.test(file))
    ).toEqual([])
  })
})
