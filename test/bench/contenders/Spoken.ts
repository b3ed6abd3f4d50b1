/** The text in the parsed JSON of each wire, for the contenders that are written by hand. */

export const chatPiece = (json: { choices: Array<{ delta: { content?: string } }> }) => json.choices[0]?.delta.content
export const chatReply = (json: { choices: Array<{ message: { content: string } }> }) =>
  json.choices[0]?.message.content ?? ""

export const messagesPiece = (json: { type: string; delta: { text?: string } }) =>
  json.type === "content_block_delta" ? json.delta.text : undefined
export const messagesReply = (json: { content: Array<{ text: string }> }) => json.content[0]?.text ?? ""

export const responsesPiece = (json: { type: string; delta: string }) =>
  json.type === "response.output_text.delta" ? json.delta : undefined
export const responsesReply = (json: { output: Array<{ content: Array<{ text: string }> }> }) =>
  json.output[0]?.content[0]?.text ?? ""
