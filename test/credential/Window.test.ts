/** The rules of the window, each by a small history. What they add up to at a gateway: `Window.simulation.test.ts`. */
import { describe, expect, it } from "@effect/vitest"
import type { Shot } from "../../src/credential/Doubt.js"
import { Window } from "../../src/credential/Window.js"

/** How long a full window holds back the next request, unless one of those in flight ends first. */
const halfMinute = 30_000

/** A window, and the requests in flight. Time passes only in `pass`. */
class History {
  readonly window = new Window()
  readonly flying: Array<Shot> = []
  now = 1_000_000

  send(count: number): this {
    for (let i = 0; i < count; i++) this.flying.push(this.window.sent(this.flying.length + 1, this.now))
    return this
  }

  accept(count = this.flying.length): this {
    for (const shot of this.flying.splice(0, count)) this.window.accepted(shot, this.now)
    return this
  }

  /** The last to be sent is the first to be refused. */
  refuse(count: number, after?: number): this {
    for (let i = 0; i < count; i++) {
      const shot = this.flying.pop()
      if (shot === undefined) throw new Error("nothing is in flight")
      const until = after === undefined ? undefined : this.now + after
      this.window.refused(shot, this.flying.length, this.now, until)
    }
    return this
  }

  pass(millis: number): this {
    this.now += millis
    return this
  }

  /** Sends as many as it admits. */
  fill(most = 1000): this {
    while (this.flying.length < most && this.wait() === 0) this.send(1)
    return this
  }

  /** Sends as many as it admits, and all are accepted. */
  round(): this {
    return this.fill().accept()
  }

  wait(inFlight = this.flying.length): number {
    return this.window.wait(inFlight, this.now)
  }

  /** How many it admits at once, up to 1,000. */
  admits(): number {
    let count = 0
    while (count < 1000 && this.wait(count) === 0) count++
    return count
  }
}

describe("before anything is refused", () => {
  it("it admits any number", () => {
    expect(new History().admits()).toBe(1000)
    expect(new History().send(500).accept().admits()).toBe(1000)
  })
})

describe("a refusal without a moment", () => {
  for (const [sent, refused, admitted] of [
    [20, 4, 16],
    [20, 1, 19],
    [2, 1, 1],
    [64, 60, 4]
  ] as const) {
    it(`${refused} of ${sent}: what was not refused is the limit, ${admitted}`, () => {
      const history = new History().send(sent).refuse(refused)
      expect(history.wait()).toBe(halfMinute)
      expect(history.accept().admits()).toBe(admitted)
    })
  }

  it("of the only one closes nothing", () => {
    expect(new History().send(1).refuse(1).wait()).toBe(0)
  })

  it("of what was sent before the window shrank counts what has been accepted of that since", () => {
    // 17 of the 20 were not refused. That 10 of those have been answered since makes the capacity no smaller.
    expect(new History().send(20).refuse(1).accept(10).refuse(2).accept().admits()).toBe(17)
  })
})

describe("a refusal with a moment", () => {
  it("closes it until then, whoever is in flight", () => {
    const history = new History().send(3).refuse(1, 5000)
    expect(history.wait()).toBe(5000)
    expect(history.pass(4999).wait()).toBe(1)
  })

  it("a later one holds, an earlier one does not shorten it", () => {
    expect(new History().send(3).refuse(1, 1000).refuse(1, 3000).refuse(1, 2000).wait()).toBe(3000)
  })

  it("it opens by degrees: half of those that were in flight, and twice as many with each that is accepted", () => {
    const history = new History().send(9).refuse(1, 1000).accept().pass(1000)
    expect(history.admits()).toBe(4)
    expect(history.send(1).accept().admits()).toBe(8)
    expect(history.send(1).accept().admits()).toBe(16)
  })

  it("of the only one: then one goes, and twice as many with each", () => {
    const history = new History().send(1).refuse(1, 1000).pass(1000)
    expect(history.admits()).toBe(1)
    expect(history.send(1).accept().admits()).toBe(2)
  })
})

describe("once nothing is accepted any more", () => {
  const alone = () => new History().send(1).refuse(1).send(1).refuse(1)

  it("all pause, twice as long each time, for a second at most", () => {
    const history = alone()
    for (const pause of [250, 500, 1000, 1000]) {
      expect(history.wait()).toBe(pause)
      history.pass(pause).send(1).refuse(1)
    }
  })

  it("but whoever has waited for itself goes", () => {
    const { now, window } = alone()
    expect(window.wait(0, now, false, true)).toBe(0)
  })

  it("and the first that is accepted ends it", () => {
    const history = alone().pass(250).send(1).accept()
    expect(history.wait()).toBe(0)
  })
})

describe("a window that has shrunk", () => {
  const of = (limit: number) =>
    new History()
      .send(limit + 1)
      .refuse(1)
      .accept()

  /** A full window, in which every request was sent while it was full. */
  const full = (limit: number) => {
    const history = of(limit).fill()
    for (let i = 1; i < limit; i++) history.accept(1).fill()
    return history
  }

  it("tries one more after a window full of acceptances, and again after three of the larger one", () => {
    const history = full(4)
    const limits: Array<number> = []
    for (let i = 0; i < 30; i++) {
      limits.push(history.flying.length)
      history.accept(1).fill()
    }
    expect(limits.indexOf(5)).toBe(4)
    // The four besides the try were sent at a lower level. Two full windows confirm the try, and one more leads to the next.
    expect(limits.indexOf(6)).toBe(4 + 4 + 2 * 5 + 5)
  })

  it("knows before it sends it which request is the try", () => {
    const history = full(4)
    for (let i = 0; i < 4; i++) history.accept(1).fill(4)
    expect(history.window.isAboutToTry(4)).toBe(true)
    expect(history.send(1).window.isAboutToTry(4)).toBe(false)
  })

  it("tries later each time that it fails", () => {
    const history = of(4)
    const rounds: Array<number> = []
    for (let attempt = 0; attempt < 4; attempt++) {
      let round = 0
      for (; history.admits() < 5; round++) history.round()
      rounds.push(round)
      history.send(5).refuse(1).accept()
    }
    for (const [i, round] of rounds.entries()) expect(round).toBeGreaterThan(rounds[i - 1] ?? 0)
  })

  it("that is not full learns nothing from what is accepted", () => {
    const history = of(8)
    for (let i = 0; i < 100; i++) history.send(2).accept()
    expect(history.admits()).toBe(8)
  })

  it("keeps an eighth free beside a request that was refused twice", () => {
    const { now, window } = of(16)
    expect(window.wait(13, now, true)).toBe(0)
    expect(window.wait(14, now, true)).toBeGreaterThan(0)
    expect(window.wait(14, now)).toBe(0)
  })

  it("forgets after a quiet minute with nothing in flight, and not before", () => {
    const history = of(4).pass(60_000)
    // Two tries have come due in the meantime.
    expect(history.admits()).toBeLessThan(8)
    expect(history.pass(1).admits()).toBe(1000)
  })

  it("does not forget while something is in flight", () => {
    expect(of(4).send(4).pass(120_000).fill().flying.length).toBeLessThan(8)
  })

  it("tries one more every half minute while it is full of slow answers", () => {
    const history = of(4).send(4)
    expect(history.pass(halfMinute - 1).fill().flying.length).toBe(4)
    expect(history.pass(1).fill().flying.length).toBe(5)
    expect(history.pass(halfMinute - 1).fill().flying.length).toBe(5)
    expect(history.pass(1).fill().flying.length).toBe(6)
  })

  it("forgets when it is opened, what a server named as well", () => {
    const history = of(4).send(2).refuse(1, 59_000)
    history.window.open()
    expect(history.admits()).toBe(1000)
  })
})

it("refusals that are no rarer when fewer are in flight change nothing any more", () => {
  const history = new History()
  let least = 64
  for (let i = 1; i <= 3000; i++) {
    history.fill(64)
    least = Math.min(least, history.flying.length)
    // One in ten is refused, however many are in flight.
    if (i % 10 === 0) history.refuse(1)
    else history.accept(1)
    history.pass(5)
  }
  expect(least).toBeLessThan(48)
  expect(history.fill(64).flying.length).toBe(64)
})
