/** One value of a key: where it may go, and that nothing but an authorized request shows it. */
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import { HttpClientRequest } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Redacted } from "effect"
import * as Key from "../../src/credential/Key.js"
import { plantedKey } from "../Wire.js"

const keyOf = (secret: string, present: Key.Key | Key.NoKey = Key.absent): Key.Key => {
  const key = Key.of(Redacted.make(secret), present)
  if (key._tag === "NoKey") throw new Error(key.problem)
  return key
}

const key = keyOf(plantedKey)
const terms: Key.Terms = { scheme: Key.bearer, origin: "https://a.test", allowInsecure: false }
const authorize = (url: string, some: Partial<Key.Terms> = {}) =>
  key.authorize(HttpClientRequest.get(url), { ...terms, ...some })

describe("where a key may go", () => {
  const rows: ReadonlyArray<
    readonly [title: string, url: string, terms: Partial<Key.Terms>, found: Key.Refusal["problem"] | "sent"]
  > = [
    ["its own origin", "https://a.test/v1", {}, "sent"],
    ["its own origin, written otherwise", "HTTPS://A.test:443/v1?x=1", {}, "sent"],
    ["another host", "https://b.test/v1", {}, "ForeignCredential"],
    ["a host below its own", "https://x.a.test/v1", {}, "ForeignCredential"],
    ["a host that begins as its own does", "https://a.test.evil.test/v1", {}, "ForeignCredential"],
    ["another port", "https://a.test:8443/v1", {}, "ForeignCredential"],
    ["its own host in clear", "http://a.test/v1", {}, "ForeignCredential"],
    ["another machine in clear", "http://a.test/v1", { origin: "http://a.test" }, "InsecureBaseUrl"],
    ["another machine in clear, allowed", "http://a.test/v1", { origin: "http://a.test", allowInsecure: true }, "sent"],
    ["another host, though clear is allowed", "http://b.test/v1", { allowInsecure: true }, "ForeignCredential"],
    ["this machine in clear", "http://127.0.0.1:80/v1", { origin: "http://127.0.0.1" }, "sent"],
    ["every address in clear", "http://0.0.0.0/v1", { origin: "http://0.0.0.0" }, "InsecureBaseUrl"],
    [
      "what only looks like this machine",
      "http://localhost.evil.test/",
      { origin: "http://localhost.evil.test" },
      "InsecureBaseUrl"
    ],
    ["an address without a host", "/v1/models", {}, "BadBaseUrl"],
    ["no address", "", {}, "BadBaseUrl"],
    ["another protocol", "ftp://a.test/", {}, "BadBaseUrl"],
    ["an address with a user in it", "https://a.test@b.test/", {}, "BadBaseUrl"],
    ["an unknown owner", "https://a.test/", { origin: "" }, "ForeignCredential"],
    ["a header of a legal name", "https://a.test/", { scheme: Key.header("X-Api-Key") }, "sent"],
    ["a header with a space", "https://a.test/", { scheme: Key.header("api key") }, "BadHeader"],
    ["a header with a line break", "https://a.test/", { scheme: Key.header("api-key\r\nx") }, "BadHeader"],
    ["a header without a name", "https://a.test/", { scheme: Key.header("") }, "BadHeader"],
    ["a header of another script", "https://a.test/", { scheme: Key.header("ключ") }, "BadHeader"],
    ["a prefix with a line break", "https://a.test/", { scheme: { header: "a", prefix: "x\n" } }, "BadHeader"],
    ["a prefix of another script", "https://a.test/", { scheme: { header: "a", prefix: "ключ " } }, "BadHeader"]
  ]
  for (const [title, url, some, found] of rows) {
    it(`${title}: ${found}`, () => {
      const authorized = authorize(url, some)
      expect(Key.isRefusal(authorized) ? authorized.problem : "sent").toBe(found)
      const shown = JSON.stringify(authorized)
      if (found === "sent") expect(shown).toContain(plantedKey)
      else expect(shown).not.toContain(plantedKey.slice(0, 8))
    })
  }

  it("the request as it came is left alone, and what it said of a key itself is replaced", () => {
    const request = HttpClientRequest.setHeader(HttpClientRequest.get("https://a.test/"), "Authorization", "Bearer old")
    const authorized = key.authorize(request, terms)
    if (Key.isRefusal(authorized)) throw new Error(authorized.problem)
    expect(authorized.headers["authorization"]).toBe(`Bearer ${plantedKey}`)
    expect(request.headers["authorization"]).toBe("Bearer old")
  })
})

describe("a key", () => {
  it("that is read again is the same one, and another is not", () => {
    expect(Key.of(Redacted.make(` ${plantedKey}\n`), key)).toBe(key)
    expect(Key.of(Redacted.make(`${plantedKey}x`), key)).not.toBe(key)
    expect(Key.of(Redacted.make(plantedKey), Key.unreadable)).not.toBe(key)
  })

  it("knows what it is made of, and how that begins", () => {
    expect([key.isMadeOf(plantedKey), key.isMadeOf(plantedKey.slice(1)), key.isMadeOf("")]).toEqual([
      true,
      false,
      false
    ])
    expect([key.startsWith("tp-"), key.startsWith("sk-")]).toEqual([true, false])
  })

  it("is recognised by a hash of salt, host and key: each of the three changes it", () => {
    const digest = key.digest("https://a.test")("salt")
    expect(digest).toBe(createHash("sha256").update(`salt https://a.test ${plantedKey}`).digest("hex"))
    expect(new Set([digest, key.digest("https://b.test")("salt"), key.digest("https://a.test")("pepper")]).size).toBe(3)
    expect(keyOf(`${plantedKey}x`).digest("https://a.test")("salt")).not.toBe(digest)
  })

  it("is shown by nothing", () => {
    const printed = [JSON.stringify(key), String(key), inspect(key, { depth: 9, showHidden: true, getters: true })]
    for (const name of Object.keys(key)) printed.push(String(Reflect.get(key, name)))
    expect(printed.join("\n")).not.toContain(plantedKey.slice(0, 8))
  })
})

describe("a placeholder that stands where a key is asked for", () => {
  for (const secret of ["EMPTY", "none", "ollama", "sk-no-key-required", "x"]) {
    it(`${secret} is sent as it is, and takes no ordinary words out of a text`, () => {
      const placeholder = keyOf(secret)
      const authorized = placeholder.authorize(HttpClientRequest.get("https://a.test/"), terms)
      expect(Key.isRefusal(authorized) ? authorized : authorized.headers["authorization"]).toBe(`Bearer ${secret}`)
      const text = "The answer is empty: none of the examples is ollama's; no key required."
      expect(Key.scrub(placeholder)(text)).toBe(text)
    })
  }
})
