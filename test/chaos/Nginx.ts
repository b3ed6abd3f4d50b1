/**
 * The throttled gateway once more, but a real nginx: `limit_conn` and `limit_req` in front of a server that takes its
 * time. It runs with a configuration of its own in a folder of its own, on loopback; the system's service is not touched.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Data, Effect, type Scope } from "effect"
import type * as Limit from "./Limit.js"
import * as Refusal from "./Refusal.js"
import * as ThrottledGateway from "./ThrottledGateway.js"

/** It is not installed, or it does not start. */
export class NginxError extends Data.TaggedError("NginxError")<{ readonly message: string }> {}

/** `nginx/1.22.1`, say. It writes it to the error output. */
export const version: Effect.Effect<string, NginxError> = Effect.suspend(() => {
  const { error, stderr } = spawnSync("nginx", ["-v"], { encoding: "utf8" })
  return error === undefined
    ? Effect.succeed(/nginx\/[\d.]+/.exec(stderr)?.[0] ?? "nginx")
    : new NginxError({ message: "nginx is not installed (Debian: apt-get install nginx)" })
})

export const make = ({
  limit,
  refusal,
  served
}: ThrottledGateway.Options & { readonly limit: Limit.Limit }): Effect.Effect<
  ThrottledGateway.ThrottledGateway,
  NginxError,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const upstream = yield* ThrottledGateway.make({ limit: undefined, refusal, served })
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "throttle-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const port = yield* freePort
    const file = join(folder, "nginx.conf")
    writeFileSync(file, config({ limit, refusal, folder, port, upstream: new URL(upstream.url).host }))
    const nginx = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("nginx", ["-c", file, "-p", folder, "-e", join(folder, "error.log")], { stdio: "ignore" })
      ),
      stop
    )
    yield* listening(nginx, port, folder)
    return {
      url: `http://127.0.0.1:${port}/v1`,
      // A line is written when its request is over, which may be a moment after its answer has come.
      requests: Effect.sync(() => readFileSync(join(folder, "access.log"), "utf8").split("\n").length - 1)
    }
  })

interface Setting {
  readonly limit: Limit.Limit
  readonly refusal: Refusal.Refusal
  readonly folder: string
  readonly port: number
  /** Host and port. */
  readonly upstream: string
}

/**
 * `limit_conn` counts connections that have a request in hand, not connections that are merely kept alive: as many places
 * as there are requests at the same time. One process, so that nothing depends on who accepts a connection.
 */
export const config = ({ folder, limit, port, refusal, upstream }: Setting): string => {
  const page = Refusal.pageOf(refusal)
  const [zone, rule] =
    limit._tag === "Places"
      ? ["limit_conn_zone $server_port zone=all:1m;", `limit_conn all ${limit.places}; limit_conn_status`]
      : [
          `limit_req_zone $server_port zone=all:1m rate=${limit.perSecond}r/s;`,
          `limit_req zone=all burst=${limit.burst} nodelay; limit_req_status`
        ]
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${folder}/${kind};`)
    .join("\n")
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
${temporary}
  log_format status $status;
  access_log ${folder}/access.log status;
  limit_conn_log_level info;
  limit_req_log_level info;
  keepalive_requests 1000000;
  ${zone}
  upstream model {
    server ${upstream};
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port};
    error_page ${refusal.status} @refused;
    location / {
      ${rule} ${refusal.status};
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location @refused {
      internal;
      default_type ${page.contentType};
      ${refusal.retryAfter === undefined ? "" : `add_header Retry-After ${refusal.retryAfter} always;`}
      return ${refusal.status} '${page.text}';
    }
  }
}
`
}

const freePort = Effect.async<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Within five seconds. */
const listening = (nginx: ChildProcess, port: number, folder: string): Effect.Effect<void, NginxError> => {
  const knock = Effect.async<boolean>((resume) => {
    const socket = connect(port, "127.0.0.1")
    const say = (there: boolean) => {
      socket.destroy()
      resume(Effect.succeed(there))
    }
    socket.once("connect", () => say(true))
    socket.once("error", () => say(false))
  })
  const again = (rounds: number): Effect.Effect<void, NginxError> =>
    Effect.flatMap(knock, (there) => {
      if (there) return Effect.void
      if (rounds > 0 && nginx.exitCode === null) return Effect.zipRight(Effect.sleep("20 millis"), again(rounds - 1))
      return new NginxError({ message: `nginx does not start: ${readFileSync(join(folder, "error.log"), "utf8")}` })
    })
  return again(250)
}

const stop = (nginx: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (nginx.exitCode !== null || nginx.signalCode !== null) return resume(Effect.void)
    nginx.once("exit", () => resume(Effect.void))
    nginx.kill()
  })
