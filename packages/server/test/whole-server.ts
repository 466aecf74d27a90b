import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { text } from "node:stream/consumers";
import { openStore } from "@tvix/castore-packs";
import type { NarBridgeOptions } from "@tvix/nar-bridge";
import { NixHash } from "@tvix/nix-compat";
import {
  type AccessOptions,
  binaryCacheServicesOf,
  type GuardOptions,
  guarded,
  type ReloadingTls,
  servicesOf,
  startServer,
} from "@tvix/server";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";

/** Who may do what with it. */
interface WholeServerOptions {
  readonly access?: AccessOptions;
  readonly guard?: GuardOptions;
  readonly tls?: ReloadingTls;
  /** Origins whose pages may call. */
  readonly corsOrigins?: readonly string[];
}

/** A server with everything, over a store in a folder, and what it has logged. */
export async function wholeServer(options: Partial<NarBridgeOptions> & WholeServerOptions = {}) {
  const { access, guard, tls, corsOrigins, ...bridgeOptions } = options;
  const store = await openStore(await temporaryDirectory(), { sync: false });
  const services = guarded(servicesOf(store), guard);
  const logged: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void logged.push(line) });
  const server = await startServer({
    ...services,
    store: services,
    binaryCache: { ...binaryCacheServicesOf(store, services), ...bridgeOptions },
    address: { type: "tcp", host: "127.0.0.1", port: 0 },
    check: store.check,
    ...(access === undefined ? {} : { access }),
    ...(corsOrigins === undefined ? {} : { corsOrigins }),
    tls,
    log,
  });
  onTestFinished(async () => {
    await server.close(0);
    await store.close();
  });
  const [address] = server.addresses;
  const port = address?.type === "tcp" ? address.port : 0;
  return { store, services, server, port, url: `http://127.0.0.1:${port}`, logged: () => logged.join("") };
}

/** A path over HTTP/2, as `curl --http2-prior-knowledge` asks for it. */
export async function overHttp2(url: string, path: string): Promise<{ status: number; body: string }> {
  const session = connectHttp2(url);
  const stream = session.request({ ":path": path });
  const [headers] = await once(stream, "response");
  const body = await text(stream);
  session.close();
  return { status: headers[":status"], body };
}

/** As it names NARs. */
export function sha256(bytes: Uint8Array): NixHash {
  return NixHash.from("sha256", new Uint8Array(createHash("sha256").update(bytes).digest()));
}
