/** One promise: what was counted, and whether that is as it should be. */
export interface Check {
  readonly name: string
  readonly found: number
  readonly holds: boolean
}

/** Of this there may be none. */
export const none = (name: string, found: number): Check => ({ name, found, holds: found === 0 })

/** Of this there must be so many. */
export const exactly = (name: string, wanted: number, found: number): Check => ({
  name,
  found,
  holds: found === wanted
})

/** Of this there may be so much. What is no number is too much. */
export const atMost = (name: string, most: number, found: number): Check => ({ name, found, holds: found <= most })

export const line = ({ found, holds, name }: Check): string =>
  `${holds ? "ok    " : "FAILED"} ${String(found).padStart(6)} ${name}`
