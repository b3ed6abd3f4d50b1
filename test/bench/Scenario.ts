/**
 * What the mock server is asked to do. It is the first segment of the path, so that every client can ask for it with
 * its base URL.
 */
export interface Scenario {
  /** Pieces of text in the answer. */
  readonly events: number
  /** How many of them go into one write. */
  readonly perWrite: number
  /** Milliseconds between two writes. 0: as fast as the socket takes them. */
  readonly pace: number
  /** Never ends the answer. */
  readonly hold: boolean
}

export const make = (events: number, options?: Partial<Omit<Scenario, "events">>): Scenario => ({
  events,
  perWrite: 1,
  pace: 0,
  hold: false,
  ...options
})

export const segment = ({ events, hold, pace, perWrite }: Scenario): string =>
  `e${events}-w${perWrite}-p${pace}-${hold ? "hold" : "end"}`

export const parse = (path: string): Scenario | undefined => {
  const found = /^\/e(\d+)-w(\d+)-p(\d+)-(hold|end)\//.exec(path)
  if (found === null) return undefined
  const [events, perWrite, pace] = found.slice(1, 4).map(Number)
  return make(Number(events), { perWrite: Number(perWrite), pace: Number(pace), hold: found[4] === "hold" })
}
