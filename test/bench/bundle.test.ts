/** How large a browser's download becomes: the same on every machine, so a test can hold it. */
import { describe, expect, it } from "@effect/vitest"
import * as Bundle from "./Bundle.js"

const kb = (bytes: number) => bytes / 1024

describe("the smallest program that streams a chat, for a browser, minified and gzipped", () => {
  it("fits in 114 KB, Effect included", async () => {
    const { gzip } = await Bundle.size("knowngood")
    expect(kb(gzip)).toBeLessThan(114)
  })

  it("has at most 26 KB that are not Effect", async () => {
    const { gzip } = await Bundle.size("knowngood", Bundle.withoutEffect)
    expect(kb(gzip)).toBeLessThan(26)
  })

  it("leaves out what it does not use: the other wire, the words for users, the shared memory", async () => {
    const { files } = await Bundle.size("knowngood", Bundle.withoutEffect)
    expect(files.filter((file) => /AnthropicMessages|explain\/|fleet\/|testing\//.test(file))).toEqual([])
  })
})
