/** MiniMax's errors: beside an answer, inside a 200, and through a relay that leaves only the message. */
import { describe, expect, it } from "@effect/vitest"
import * as BaseResp from "../../src/refusal/BaseResp.js"

const said = (status_code: unknown, status_msg = "") => ({ base_resp: { status_code, status_msg } })

describe("a base_resp", () => {
  for (const [name, body, isRefusal, word] of [
    ["with a code", said(1004, "login fail"), true, "minimax:1004"],
    ["with the code of success", said(0), false, "minimax:0"],
    ["with a code that is none", said("1004"), false, undefined],
    ["without a code", { base_resp: {} }, false, undefined],
    ["that is no object", { base_resp: [1004] }, false, undefined],
    ["that is not there", {}, false, undefined]
  ] as const) {
    it(`${name} is ${isRefusal ? "a" : "no"} refusal, by the word ${word}`, () => {
      expect(BaseResp.isRefusal(body)).toBe(isRefusal)
      expect(BaseResp.word(body, undefined)).toBe(word)
    })
  }
})

describe("a number after a message", () => {
  for (const [message, word] of [
    ["insufficient balance (1008)", "minimax:1008"],
    ["Invalid params, messages is empty (2013) ", "minimax:2013"],
    ["insufficient balance", undefined],
    ["insufficient balance (3008)", undefined],
    ["you wrote: insufficient balance (1008)", undefined]
  ] as const) {
    it(`${JSON.stringify(message)} says ${word}`, () => {
      expect(BaseResp.word({}, message)).toBe(word)
    })
  }

  it("loses to the one in base_resp", () => {
    expect(BaseResp.word(said(1002), "insufficient balance (1008)")).toBe("minimax:1002")
  })
})
