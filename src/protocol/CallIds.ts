/**
 * The ids of the calls in one body, for a wire that accepts only some. Ids of other wires may be too long, have other
 * characters, or repeat in every turn; here each is used once, and a result gets the id that its call got.
 */

/**
 * @param written Writes an id in the characters that the wire accepts. It must not give an empty text.
 * @param longest The most characters that an id may have. Default: any number.
 */
export const make = (written: (id: string) => string, longest = Number.POSITIVE_INFINITY): CallIds =>
  new CallIds(written, longest)

export class CallIds {
  /** How often each id was used. */
  private readonly taken = new Map<string, number>()
  /** By an id in the history: the new ids of its calls that still await a result, oldest first. */
  private readonly open = new Map<string, Array<string>>()

  constructor(
    private readonly written: (id: string) => string,
    private readonly longest: number
  ) {}

  ofCall(id: string): string {
    const unique = this.unique(this.accepted(id))
    const open = this.open.get(id)
    if (open === undefined) this.open.set(id, [unique])
    else open.push(unique)
    return unique
  }

  ofResult(id: string): string {
    return this.open.get(id)?.shift() ?? this.accepted(id)
  }

  private accepted(id: string): string {
    return this.written(id).slice(0, this.longest)
  }

  private unique(text: string): string {
    const count = this.taken.get(text) ?? 0
    this.taken.set(text, count + 1)
    if (count === 0) return text
    const suffix = `_${count + 1}`
    return this.unique(text.slice(0, this.longest - suffix.length) + suffix)
  }
}
