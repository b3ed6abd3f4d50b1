/** Gateways on real sockets of this machine, and clients for them. */
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { FetchHttpClient, type HttpClient, type HttpServer, type HttpServerError } from "@effect/platform"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted } from "effect"
import { MiMo, type Provider, RetryPolicy } from "../src/index.js"
import * as Gateway from "../src/testing/Gateway.js"
import { plantedKey, type Setup } from "./Wire.js"

/** Both clients that the README names: what holds over HTTP must hold for each. */
export const clients: ReadonlyArray<readonly [name: string, layer: Layer.Layer<HttpClient.HttpClient>]> = [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici]
]

/** The connections of one server, as the server sees them. */
export interface Connections {
  /** How many there have been. */
  readonly made: Effect.Effect<number>
  /** How many are open now. */
  readonly open: Effect.Effect<number>
  /** How many bytes they were given, all together. */
  readonly written: Effect.Effect<number>
}

export class Loopback extends Context.Tag("test/Loopback")<Loopback, Connections>() {}

export const connections = {
  made: Effect.flatMap(Loopback, ({ made }) => made),
  open: Effect.flatMap(Loopback, ({ open }) => open),
  written: Effect.flatMap(Loopback, ({ written }) => written)
}

/** A server on a free port. Connections that a test leaves open are cut at its end. */
const server: Layer.Layer<Loopback | HttpServer.HttpServer, HttpServerError.ServeError> = Layer.unwrapEffect(
  Effect.sync(() => {
    const node = createServer()
    const sockets: Array<Socket> = []
    node.on("connection", (socket) => sockets.push(socket))
    const seen: Connections = {
      made: Effect.sync(() => sockets.length),
      open: Effect.sync(() => sockets.filter((socket) => !socket.destroyed).length),
      written: Effect.sync(() => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0))
    }
    const cutAtTheEnd = Layer.scopedDiscard(Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections())))
    return Layer.merge(cutAtTheEnd, Layer.succeed(Loopback, seen)).pipe(
      Layer.provideMerge(NodeHttpServer.layerServer(() => node, { port: 0, host: "127.0.0.1" }))
    )
  })
)

/** The scripted gateway, over HTTP. */
export const serve = (script: Gateway.Script): Layer.Layer<Gateway.Gateway | Loopback, HttpServerError.ServeError> =>
  Gateway.serve(script).pipe(Layer.provideMerge(server))

/** The presets' policy, but quicker: 5, 10, 20, 40, 40 … ms, no jitter. */
export const quick: RetryPolicy.RetryPolicy = (knownGood) =>
  RetryPolicy.standard(knownGood, { base: "5 millis", cap: "40 millis", jitter: 0 })

/** The waits of `quick`, in milliseconds. */
export const quickly = (retry: number): number => Math.min(40, 5 * 2 ** (retry - 1))

/** MiMo's preset, with the gateway and the client in the context. */
export const mimo = (
  setup: Setup = {}
): Layer.Layer<Provider.Provider, never, Gateway.Gateway | HttpClient.HttpClient> => {
  const key = "key" in setup ? setup.key : plantedKey
  return Layer.unwrapEffect(
    Effect.map(Gateway.Gateway, ({ url }) =>
      MiMo.layer({
        apiKey: key === undefined ? undefined : Redacted.make(key),
        baseUrl: url,
        policy: setup.policy ?? quick,
        timeouts: setup.timeouts
      })
    )
  )
}

/** Checks again and again until it holds, for so long that only what never happens is missed. */
export const eventually = <E, R>(isSo: Effect.Effect<boolean, E, R>): Effect.Effect<boolean, E, R> =>
  Effect.gen(function* () {
    for (let round = 0; round < 1500; round++) {
      if (yield* isSo) return true
      yield* Effect.sleep("10 millis")
    }
    return false
  })
