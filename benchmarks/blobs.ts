// Puts and reads a blob of 1 GiB over gRPC, beside servers that only count or repeat bytes.
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport as createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { useNativeBlake3 } from "@tvix/blake3-native";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport, raiseSessionWindow, SESSION_OPTIONS } from "@tvix/castore-grpc/http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { type Figures, measure, report } from "./measure.ts";
import { startBareServers, startDaemon } from "./processes.ts";
import { PIECE_BYTES, ROUNDS, TOTAL_BYTES } from "./sizes.ts";

const BASELINE = "bare Connect";
const HTTP2 = "bare node:http2";

/** Measures blobs of random bytes, which do not compress. */
export async function benchmarkBlobs(): Promise<void> {
  const puts: Figures = new Map();
  const reads: Figures = new Map();
  const bytes = new Uint8Array(TOTAL_BYTES);
  // As the command has it; without it our client verifies in WebAssembly.
  useNativeBlake3();
  for (let round = 0; round < ROUNDS; round++) {
    for (let start = 0; start < bytes.length; start += 1 << 28) randomFillSync(bytes, start, 1 << 28);
    await measureBare(puts, reads, bytes);
    await measureDaemon(puts, reads, bytes);
  }
  report("Put of a blob of 1 GiB of random bytes", puts, [HTTP2, BASELINE]);
  report("Read of it", reads, [HTTP2, BASELINE]);
}

async function measureBare(puts: Figures, reads: Figures, bytes: Uint8Array): Promise<void> {
  const server = await startBareServers();
  const url = `http://127.0.0.1:${server.port}`;
  const session = connectHttp2(url, { ...SESSION_OPTIONS });
  await once(session, "connect");
  raiseSessionWindow(session);
  await measure(puts, HTTP2, TOTAL_BYTES, async () => {
    const request = session.request({ ":method": "POST", ":path": "/bare" });
    for (const piece of piecesOf(bytes)) if (!request.write(piece)) await once(request, "drain");
    request.end();
    request.resume();
    await once(request, "end");
  });
  await measure(reads, HTTP2, TOTAL_BYTES, async () => {
    const request = session.request({ ":path": "/bare" });
    request.resume();
    await once(request, "end");
  });
  session.close();

  const blobs = createClient(BlobService, tunedConnectTransport(url));
  await measure(puts, BASELINE, TOTAL_BYTES, () => blobs.put(messagesOf(bytes)));
  await measure(reads, BASELINE, TOTAL_BYTES, async () => {
    for await (const _ of blobs.read({}));
  });
  await server.stop();
}

async function measureDaemon(puts: Figures, reads: Figures, bytes: Uint8Array): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), "bench-"));
  const daemon = await startDaemon(data);
  const url = `http://127.0.0.1:${daemon.port}`;
  const transport = createGrpcTransport({ url });
  const blobs = new GrpcBlobService(transport);
  let digest = await blobs.put(new Uint8Array(1));
  await measure(puts, "tvix-store, our client (native BLAKE3)", TOTAL_BYTES, async () => {
    digest = await blobs.put(piecesOf(bytes));
  });
  await measure(reads, "tvix-store, our client (verifies, native BLAKE3)", TOTAL_BYTES, async () => {
    for await (const _ of (await blobs.read(digest)) ?? []);
  });
  const connectClient = createClient(BlobService, tunedConnectTransport(url));
  await measure(reads, "tvix-store, Connect's client", TOTAL_BYTES, async () => {
    for await (const _ of connectClient.read({ digest: digest.bytes }));
  });
  await transport.close();
  await daemon.stop();
  await rm(data, { recursive: true });
}

/** Connect's own transport, with windows as large as ours. */
function tunedConnectTransport(baseUrl: string): Transport {
  const sessionManager = new Http2SessionManager(baseUrl, {}, { ...SESSION_OPTIONS });
  return createConnectTransport({ baseUrl, sessionManager, acceptCompression: [] });
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; start += PIECE_BYTES)
    yield bytes.subarray(start, start + PIECE_BYTES);
}

async function* messagesOf(bytes: Uint8Array): AsyncIterable<{ data: Uint8Array }> {
  for (const data of piecesOf(bytes)) yield { data };
}
