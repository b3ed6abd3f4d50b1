/** What goes wrong, and how often: it depends on the seed, the call, and how many requests for it came before. */
import * as Dice from "./Dice.js"

/** In per cent of all requests. The rest is answered as it should be. */
export const rates = {
  /** MiMo's 401 for a key that works. */
  "401 for a good key": 4,
  "429 with Retry-After": 3,
  "503": 3,
  "503 with Retry-After": 1,
  "reset before the headers": 2,
  "reset after the headers": 2,
  "no headers": 1,
  "cut in the middle of an event": 3,
  "clean end in the middle of an event": 2,
  "silence after the headers": 2,
  "silence in the middle": 1,
  "keep-alives for ever in the middle": 2,
  "keep-alives for ever from the start": 1,
  "an error inside the 200 before any output": 3,
  "an error inside the 200 in the middle": 2,
  "an error body that never ends": 3,
  "a page instead of an answer": 0.5,
  "slow drip": 8
} as const

export type Fault = keyof typeof rates

/** `undefined`: nothing goes wrong. Call 0 goes well, so that the key is known good. */
export const faultOf = (seed: number, call: number, request: number): Fault | undefined => {
  if (call === 0) return undefined
  let drawn = Dice.make("fault", seed, call, request).next() * 100
  for (const [fault, rate] of faults) {
    if (drawn < rate) return fault
    drawn -= rate
  }
  return undefined
}

const faults = Object.entries(rates) as ReadonlyArray<readonly [Fault, number]>
