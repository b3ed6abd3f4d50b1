/**
 * The mock service, in a process of its own: plain `node:http`, keep-alive, bytes that were made beforehand. The
 * scenario is in the path, whether to stream is in the body, and the wire is how the path ends.
 */
import * as Http from "node:http"
import * as Scenario from "./Scenario.js"
import * as Wire from "./Wire.js"

const isStreaming = /"stream":\s*true/

const respond = (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => {
  const [path = ""] = (request.url ?? "").split("?")
  const scenario = Scenario.parse(path)
  const wire = Object.values(Wire.wires).find((wire) => path.endsWith(wire.path))
  if (scenario === undefined || wire === undefined) return response.writeHead(404).end()
  if (isStreaming.test(body)) return stream(response, scenario, wire)
  response.writeHead(200, { "content-type": "application/json", "content-length": wire.whole.length }).end(wire.whole)
}

const stream = (response: Http.ServerResponse, scenario: Scenario.Scenario, wire: Wire.Wire) => {
  const { events, hold, pace, perWrite } = scenario
  const blocks = blocksOf(wire, perWrite)
  const last = blocksOf(wire, events % perWrite)
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.cork()
  response.write(wire.opening)
  process.nextTick(() => response.uncork())

  let written = 0
  let writes = 0
  const next = (): void => {
    if (response.destroyed) return
    if (written >= events) {
      if (!hold) response.end(wire.closing)
      return
    }
    const some = events - written < perWrite ? last : blocks
    written += perWrite
    const fits = response.write(some[writes++ % some.length])
    if (!fits) response.once("drain", next)
    else if (pace > 0) setTimeout(next, pace)
    // One event per write is one event per read only if other sockets have their turn in between.
    else if (perWrite === 1) setImmediate(next)
    else next()
  }
  next()
}

const cache = new Map<string, ReadonlyArray<Buffer>>()

/** Blocks of `perWrite` events, written one after the other, over and over. */
const blocksOf = (wire: Wire.Wire, perWrite: number): ReadonlyArray<Buffer> => {
  const key = `${wire.path} ${perWrite}`
  const made = cache.get(key) ?? Array.from({ length: 16 }, (_, i) => block(wire, perWrite, i))
  cache.set(key, made)
  return made
}

const block = (wire: Wire.Wire, perWrite: number, index: number): Buffer =>
  Buffer.from(
    Array.from({ length: perWrite }, (_, i) =>
      wire.piece(Wire.words[(index * perWrite + i) % Wire.words.length] ?? "")
    ).join("")
  )

const server = Http.createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
  let body = ""
  request.setEncoding("utf8")
  request.on("data", (text) => {
    body += text
  })
  request.on("end", () => respond(request, response, body))
})

server.listen(0, "127.0.0.1", 4096, () => {
  const address = server.address()
  if (typeof address === "object" && address !== null) process.send?.(address.port)
})
process.once("disconnect", () => process.exit(0))
