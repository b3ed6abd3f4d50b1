/** The measure of costs: if it did not see quadratic time, the tests that use it would prove nothing. */
import { describe, expect, it } from "@effect/vitest"
import * as Cost from "./Cost.js"

/** Visits this many items. */
const look = (count: number) => () => {
  let sum = 0
  for (let i = 0; i < count; i++) sum = (sum + i) | 0
  return sum
}

describe("four times the size", () => {
  it("takes about four times as long if each item is visited once", () => {
    expect(Cost.growth(look(4e6), look(16e6))).toBeLessThan(8)
  })

  it("takes about 16 times as long if each item is compared with each", () => {
    expect(Cost.growth(look(2000 ** 2), look(8000 ** 2))).toBeGreaterThan(8)
  })

  it("is not called quadratic if both are too small to measure", () => {
    expect(Cost.growth(look(1), look(4))).toBeLessThan(8)
  })
})

it("byte arrays are counted by size, views of them are not", () => {
  const sizes = Cost.allocated(() => {
    const array = new Uint8Array(1000)
    array.subarray(1, 2)
    new Uint8Array(array.buffer, 0, 10).fill(1)
    return new Uint8Array(7)
  })
  expect(sizes).toEqual([1000, 7])
  expect(Cost.allocated(() => 0)).toEqual([])
})
