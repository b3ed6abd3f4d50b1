/**
 * A gateway that takes so much and no more, and callers that hold themselves back by a `Window`: thousands of requests in
 * virtual time, in milliseconds of real time. It is what the window's numbers were chosen by.
 *
 * The line is the gate's: first come, first served, a call that was told to wait goes behind. What is left out is
 * everything that takes a clock or a fiber; `Gate.test.ts` has that.
 */
import { Window } from "../../src/credential/Window.js"

export interface Setting {
  /** How many answers the gateway makes at once. Default: any number. */
  readonly places?: number
  /** How many requests it takes in a second, by a bucket of tokens. Default: any number. */
  readonly rate?: number
  /** Tokens in the full bucket. */
  readonly burst?: number
  /** The part of all requests that it refuses whatever their number is. */
  readonly noise?: number
  /** The wait that it asks for when it refuses, in milliseconds. Default: it names none, and a call takes its backoff. */
  readonly retryAfter?: number
  /** How often a call is repeated before it is lost. */
  readonly retries: number
  readonly callers?: number
  readonly calls?: number
  /** How long an answer takes, in milliseconds. */
  readonly service?: number
  /** How long after an answer its place is free again, in milliseconds: the caller may be sooner. Default 0. */
  readonly release?: number
  /** Whether callers hold themselves back. Default true. */
  readonly coolDown?: boolean
  readonly seed?: number
}

export interface Outcome {
  /** The part of the calls that were answered. */
  readonly success: number
  readonly requestsPerSuccess: number
  /** Over the time that the gateway would need for as many. */
  readonly timeOverPossible: number
  /** Of a call's duration, in seconds. */
  readonly p99: number
}

interface Call {
  ticket: number
  refusals: number
  readonly began: number
  acceptedBefore: number | undefined
}

export const run = (setting: Setting): Outcome => {
  const { callers = 64, calls = 2000, coolDown = true, release = 0, retries, retryAfter, service = 200 } = setting
  const agenda = new Agenda()
  const chance = dice(setting.seed ?? 1)
  const gateway = gatewayOf(setting, chance)
  const window = new Window()
  const line: Array<Call> = []
  const took: Array<number> = []
  let [inFlight, careful, requests, accepted, lost, started, tickets] = [0, 0, 0, 0, 0, 0, 0]
  let alarm = 0

  const begin = () => {
    if (started === calls) return
    started += 1
    line.push({ ticket: tickets++, refusals: 0, began: agenda.now, acceptedBefore: undefined })
  }

  const queue = (call: Call) => {
    const behind = line.findLastIndex((other) => other.ticket < call.ticket)
    line.splice(behind + 1, 0, call)
  }

  const next = (): Call | undefined => {
    const [first] = line
    if (first === undefined || !coolDown || !window.isAboutToTry(inFlight)) return line.shift()
    const best = line.reduce((best, call) => (call.refusals < best.refusals ? call : best), first)
    return line.splice(line.indexOf(best), 1)[0]
  }

  const admit = () => {
    while (line.length > 0) {
      const wait = coolDown ? window.wait(inFlight, agenda.now, careful > 0 || (line[0]?.refusals ?? 0) > 1) : 0
      if (wait > 0) {
        if (wait < Number.POSITIVE_INFINITY && alarm !== agenda.now + wait) {
          alarm = agenda.now + wait
          agenda.at(alarm, admit)
        }
        return
      }
      const call = next()
      if (call !== undefined) send(call)
    }
  }

  const send = (call: Call) => {
    requests += 1
    inFlight += 1
    if (call.refusals > 1) careful += 1
    const shot = window.sent(inFlight, agenda.now)
    agenda.after(2 + chance() * 6, () => {
      if (!gateway.takes(agenda.now)) return agenda.after(2, () => refused(call, shot))
      agenda.after(service * (0.8 + 0.4 * chance()), () => {
        agenda.after(release, () => gateway.answered())
        agenda.after(2, () => {
          inFlight -= 1
          if (call.refusals > 1) careful -= 1
          accepted += 1
          window.accepted(shot, agenda.now)
          took.push(agenda.now - call.began)
          begin()
          admit()
        })
      })
    })
  }

  const refused = (call: Call, shot: ReturnType<Window["sent"]>) => {
    inFlight -= 1
    if (call.refusals > 1) careful -= 1
    call.refusals += 1
    const isItsOwn = call.acceptedBefore !== undefined && accepted > call.acceptedBefore
    call.acceptedBefore = accepted
    if (!isItsOwn || window.isFull(inFlight + 1)) {
      const until = retryAfter === undefined || isItsOwn ? undefined : agenda.now + retryAfter
      window.refused(shot, inFlight, agenda.now, until)
    }
    if (call.refusals > retries) {
      lost += 1
      begin()
    } else {
      const backoff = Math.min(15_000, 500 * 2 ** (call.refusals - 1)) + chance() * 250
      agenda.after(retryAfter ?? backoff, () => {
        if (retryAfter !== undefined) call.ticket = tickets++
        queue(call)
        admit()
      })
    }
    admit()
  }

  for (let i = 0; i < callers; i++) begin()
  admit()
  while (took.length + lost < calls && agenda.step()) {}
  took.sort((a, b) => a - b)
  return {
    success: took.length / calls,
    requestsPerSuccess: requests / took.length,
    timeOverPossible: agenda.now / possible(setting, callers, calls, service),
    p99: (took[Math.floor(took.length * 0.99)] ?? 0) / 1000
  }
}

const possible = (
  { burst = 0, places = Number.POSITIVE_INFINITY, rate }: Setting,
  callers: number,
  calls: number,
  service: number
) => (rate === undefined ? (calls * service) / Math.min(places, callers) : ((calls - burst) / rate) * 1000 + service)

const gatewayOf = (
  { burst = 1, noise = 0, places = Number.POSITIVE_INFINITY, rate }: Setting,
  chance: () => number
) => {
  let [working, tokens, filled] = [0, burst, 0]
  const hasToken = (now: number): boolean => {
    if (rate === undefined) return true
    tokens = Math.min(burst, tokens + ((now - filled) / 1000) * rate)
    filled = now
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
  return {
    takes: (now: number): boolean => {
      if (chance() < noise || working >= places || !hasToken(now)) return false
      working += 1
      return true
    },
    answered: () => {
      working -= 1
    }
  }
}

/** What is to happen, by its time: a binary heap. */
class Agenda {
  now = 0
  private count = 0
  private readonly heap: Array<{ readonly at: number; readonly order: number; readonly act: () => void }> = []

  after(wait: number, act: () => void): void {
    this.at(this.now + wait, act)
  }

  at(at: number, act: () => void): void {
    this.heap.push({ at, order: this.count++, act })
    for (let child = this.heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1
      if (!this.isBefore(child, parent)) return
      this.swap(child, parent)
      child = parent
    }
  }

  /** Does what comes next; whether there was anything. */
  step(): boolean {
    const [first] = this.heap
    const last = this.heap.pop()
    if (first === undefined || last === undefined) return false
    if (this.heap.length > 0) {
      this.heap[0] = last
      this.sink()
    }
    this.now = first.at
    first.act()
    return true
  }

  private sink(): void {
    for (let parent = 0; ; ) {
      const left = 2 * parent + 1
      if (left >= this.heap.length) return
      const child = left + 1 < this.heap.length && this.isBefore(left + 1, left) ? left + 1 : left
      if (!this.isBefore(child, parent)) return
      this.swap(child, parent)
      parent = child
    }
  }

  private isBefore(a: number, b: number): boolean {
    const [one, other] = [this.heap[a], this.heap[b]]
    if (one === undefined || other === undefined) return false
    return one.at < other.at || (one.at === other.at && one.order < other.order)
  }

  private swap(a: number, b: number): void {
    const [one, other] = [this.heap[a], this.heap[b]]
    if (one === undefined || other === undefined) return
    this.heap[a] = other
    this.heap[b] = one
  }
}

/** Numbers from 0 to 1 that look like chance and are always the same. */
const dice = (seed: number) => {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
