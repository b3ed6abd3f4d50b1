/** Base URLs as users write them, and the addresses that follow from them. */
import { describe, expect, it } from "@effect/vitest"
import * as BaseUrl from "../src/BaseUrl.js"

describe("a base URL", () => {
  for (const text of [
    "https://api.test",
    "https://api.test/",
    "http://localhost:11434/v1",
    "http://[::1]:8080",
    "https://api.test/openai?api-version=1",
    "  https://api.test/v1\n"
  ]) {
    it(`${JSON.stringify(text)} is valid`, () => {
      expect(BaseUrl.parse(text)?.origin).toMatch(/^https?:\/\/./)
    })
  }

  for (const text of [
    // V35: an empty or blank base URL is refused.
    "",
    "   ",
    "api.test/v1",
    "/v1",
    "//api.test",
    "localhost:8080",
    "https://",
    "http//api.test",
    "ftp://api.test",
    "file:///etc/hosts",
    "javascript:alert(1)",
    "ws://api.test",
    "https://user@api.test",
    "https://user:secret@api.test",
    "https://:secret@api.test"
  ]) {
    it(`${JSON.stringify(text)} is not valid (V35)`, () => {
      expect(BaseUrl.parse(text)).toBeUndefined()
    })
  }
})

describe("a path under a base URL", () => {
  for (const [base, path, expected] of [
    ["https://api.test", "/chat/completions", "https://api.test/chat/completions"],
    ["https://api.test/", "/chat/completions", "https://api.test/chat/completions"],
    ["https://api.test/v1", "/chat/completions", "https://api.test/v1/chat/completions"],
    ["https://api.test/v1/", "/chat/completions", "https://api.test/v1/chat/completions"],
    ["https://api.test/v1///", "/models", "https://api.test/v1/models"],
    ["https://api.test", "/v1/messages", "https://api.test/v1/messages"],
    ["https://api.test/v1", "/v1/messages", "https://api.test/v1/messages"],
    ["https://api.test/v1/", "/v1/messages", "https://api.test/v1/messages"],
    ["https://api.test/anthropic", "/v1/messages", "https://api.test/anthropic/v1/messages"],
    ["https://api.test/anthropic/v1", "/v1/messages", "https://api.test/anthropic/v1/messages"],
    ["https://api.test/v1beta", "/v1/messages", "https://api.test/v1beta/v1/messages"],
    ["https://api.test/openai?api-version=1", "/models", "https://api.test/openai/models?api-version=1"],
    ["http://localhost:11434/v1", "/models", "http://localhost:11434/v1/models"],
    ["https://api.test/v1#top", "/models", "https://api.test/v1/models"],
    ["HTTPS://API.Test:443/V1", "/models", "https://api.test/V1/models"]
  ] as const) {
    it(`${base} and ${path} (O25, V59)`, () => {
      const url = BaseUrl.parse(base)
      expect(url && BaseUrl.join(url, path)).toBe(expected)
    })
  }
})
