/** What a handful of rounds comes to. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export const summary = (numbers: ReadonlyArray<number>): Summary => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return { median: middle(sorted), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/** Round by round, so that a machine that is busy for a while slows both sides. */
export const ratios = (numbers: ReadonlyArray<number>, to: ReadonlyArray<number>): Summary =>
  summary(numbers.map((number, round) => number / (to[round] ?? Number.NaN)))

export const differences = (numbers: ReadonlyArray<number>, to: ReadonlyArray<number>): Summary =>
  summary(numbers.map((number, round) => number - (to[round] ?? Number.NaN)))

const middle = (sorted: ReadonlyArray<number>): number => {
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}
