/**
 * MiniMax's errors: `base_resp`, a status beside every answer, also inside a 200, where any code but 0 is a refusal.
 */
import * as Json from "../Json.js"

/** The fields of the error, if there is a `base_resp`. */
export const fields = (body: Json.Fields): Json.Fields | undefined => Json.record(body["base_resp"])

export const isRefusal = (body: Json.Fields): boolean => (code(body) ?? 0) !== 0

const code = (body: Json.Fields): number | undefined => Json.number(fields(body)?.["status_code"])

/**
 * The number of the error in the form `minimax:1004`. Relays put it in brackets after the message. It is MiniMax's
 * number only if the message begins as MiniMax's do: any other message may end with what the user wrote.
 */
export const word = (body: Json.Fields, message: string | undefined): string | undefined => {
  const bracketed = message !== undefined && begins.test(message) ? /\(([12]\d{3})\)$/.exec(message.trimEnd()) : null
  const number = code(body) ?? bracketed?.[1]
  return number === undefined ? undefined : `minimax:${number}`
}

/** From recordings, and from issue threads of MiniMax-AI. */
const begins =
  /^(insufficient balance|usage limit|invalid params|invalid api key|login fail|rate limit|token limit|unknown error|(request )?time ?out|internal error|system error|(input|output|new)[ _]\w*sensitive|your current token plan)/i
