import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { B3Digest } from "@tvix/castore";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { BlobService, DirectoryService } from "@tvix/protocol/tvix/castore";
import { PathInfoService } from "@tvix/protocol/tvix/store";
import { formatPathInfo, type PathInfo } from "@tvix/store";
import { onTestFinished } from "vitest";

/** What a request ended with, alike for each protocol. */
export type Outcome = "ok" | "unauthenticated" | "denied" | "exists" | `other: ${string}`;

/** Reads and writes by one protocol, with a token or without. */
export interface Door {
  read(): Promise<Outcome>;
  write(): Promise<Outcome>;
  /** undefined where this door is none for path infos as such. */
  putPathInfo?(info: PathInfo): Promise<Outcome>;
}

const OUTCOMES: Readonly<Record<number, Outcome>> = {
  [Code.NotFound]: "ok",
  [Code.Unauthenticated]: "unauthenticated",
  [Code.PermissionDenied]: "denied",
  [Code.AlreadyExists]: "exists",
};

async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    await call;
    return "ok";
  } catch (reason) {
    const error = ConnectError.from(reason);
    return OUTCOMES[error.code] ?? `other: ${error.message}`;
  }
}

async function outcomeOfHttp(request: Promise<Response>): Promise<Outcome> {
  const response = await request;
  await response.arrayBuffer();
  if (response.status === 401)
    return response.headers.has("www-authenticate") ? "unauthenticated" : "other: 401";
  if (response.status === 403) return "denied";
  if (response.status === 409) return "exists";
  return response.ok || response.status === 404 ? "ok" : `other: ${response.status}`;
}

const UNKNOWN = B3Digest.of(new TextEncoder().encode("nobody has put this"));

/** Every door of a server, for who shows a token. */
export function doorsOf(url: string, token?: string): Readonly<Record<string, Door>> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const grpc = createGrpcTransport({ url }, { token, reconnectMs: 0 });
  onTestFinished(() => grpc.close());
  const transports = {
    gRPC: grpc,
    "gRPC-Web": createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }),
    "gRPC-Web over HTTP/2": createGrpcWebTransport({ baseUrl: url, httpVersion: "2" }),
    "Connect in JSON": createConnectTransport({ baseUrl: url, httpVersion: "1.1", useBinaryFormat: false }),
    "Connect over HTTP/2": createConnectTransport({ baseUrl: url, httpVersion: "2" }),
  };
  const doors: Record<string, Door> = {};
  for (const [name, transport] of Object.entries(transports)) {
    const blobs = createClient(BlobService, transport);
    const directories = createClient(DirectoryService, transport);
    const pathInfos = createClient(PathInfoService, transport);
    const options = name === "gRPC" ? {} : { headers };
    doors[name] = {
      read: async () => {
        const stat = await outcomeOf(blobs.stat({ digest: UNKNOWN.bytes }, options));
        const read = await outcomeOf(Array.fromAsync(blobs.read({ digest: UNKNOWN.bytes }, options)));
        return stat === read ? stat : `other: ${stat} or ${read}`;
      },
      write: async () => {
        const blob = await outcomeOf(blobs.put(once({ data: Uint8Array.of(1, 2, 3) }), options));
        const directory = await outcomeOf(directories.put(once({}), options));
        return blob === directory ? blob : `other: ${blob} or ${directory}`;
      },
      putPathInfo: (info) => outcomeOf(pathInfos.put(formatPathInfo(info), options)),
    };
  }
  const basic = token === undefined ? {} : { authorization: `Basic ${btoa(`anybody:${token}`)}` };
  for (const [name, shown] of [
    ["HTTP", headers],
    ["HTTP, Basic", basic],
  ] as const) {
    doors[name] = {
      read: () => outcomeOfHttp(fetch(`${url}/${"0".repeat(32)}.narinfo`, { headers: shown })),
      write: () =>
        outcomeOfHttp(
          fetch(`${url}/nix-cache-info`, { method: "PUT", body: "StoreDir: /nix/store\n", headers: shown }),
        ),
    };
  }
  // What stores nothing; what it does is left to the others.
  const write = async () => doors["HTTP"]?.write() as Promise<Outcome>;
  const unknown = "0".repeat(32);
  doors["a batch of narinfos"] = {
    read: () => outcomeOfHttp(fetch(`${url}/get-narinfos-v1`, { method: "POST", body: unknown, headers })),
    write,
  };
  for (const path of [`/closure/${unknown}`, `/serve/${unknown}-x`, `/castore/${UNKNOWN.toHex()}`]) {
    doors[path] = { read: () => outcomeOfHttp(fetch(`${url}${path}`, { headers })), write };
  }
  return doors;
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/** What every door answers, as one where they agree. */
export async function everyDoor(
  doors: Readonly<Record<string, Door>>,
  ask: (door: Door) => Promise<Outcome> | undefined,
): Promise<Outcome | Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const [name, door] of Object.entries(doors)) {
    const asked = ask(door);
    if (asked !== undefined) outcomes[name] = await asked;
  }
  const [first = "ok", ...others] = Object.values(outcomes);
  return others.every((other) => other === first) ? first : outcomes;
}
