/**
 * How much the tests try: as much as somebody waits for (`npm test`), or ten times as many examples of each property
 * and every row of the large tables (`npm run test:long`, which runs only the files that import this one).
 */
export const isLong = process.env["EFFORT"] === "long"

/** How many examples of a property to try, given the usual number. */
export const runs = (count: number): number => (isLong ? 10 * count : count)

/** So many of these, beginning somewhere, with all of them in turn when the beginnings are; or all. */
export const some = <A>(all: ReadonlyArray<A>, count: number, from: number): ReadonlyArray<A> =>
  isLong || count >= all.length
    ? all
    : Array.from({ length: count }, (_, i) => all[(from * count + i) % all.length]).filter((one) => one !== undefined)
