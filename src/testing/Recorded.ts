/**
 * A request as the gateway remembers it.
 */

/** A request that the gateway received. */
export interface Recorded {
  /** `GET`, `POST`, … */
  readonly method: string
  /** The complete URL. */
  readonly url: string
  /** The request headers, their names in lower case. They include the key. */
  readonly headers: { readonly [name: string]: string | undefined }
  /** The request body: parsed if it is JSON, text otherwise. */
  readonly body: unknown
  /** When it arrived: milliseconds since the epoch, by the `Clock`. */
  readonly at: number
  /** Whether the client gave up before the answer was complete. */
  readonly aborted: boolean
}
