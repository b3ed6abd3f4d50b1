/** How a cost grows with its input, measured against itself: a busy machine slows both sides. */

/** The least time of several runs, in milliseconds. */
const least = (run: () => void, runs: number): number => {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    run()
    best = Math.min(best, performance.now() - start)
  }
  return best
}

/**
 * By what factor the time grows when the input is `times` as long: `times` where it is linear, `times` squared where it is
 * quadratic. `run` gets its input from `make`, which is not measured.
 */
export const growth = <A>(
  make: (size: number) => A,
  run: (input: A) => void,
  { runs = 5, size, times = 16 }: { readonly runs?: number; readonly size: number; readonly times?: number }
): number => {
  const [small, large] = [make(size), make(size * times)]
  run(small)
  const base = least(() => run(small), runs)
  return least(() => run(large), runs) / base
}
