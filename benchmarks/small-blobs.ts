// Puts many short blobs, one after the other and many at once, beside a server whose handler only counts bytes: one call
// for each, where our own client and server use batches.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mapConcurrently } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { type Figures, measure, report } from "./measure.ts";
import { startBareServers, startDaemon } from "./processes.ts";
import { ROUNDS } from "./sizes.ts";

/** How many, by how many are in flight: each waits until it is on the disk, so one after the other takes long. */
const COUNTS: readonly (readonly [inFlight: number, count: number])[] = [
  [1, 2000],
  [64, 20_000],
];
const BASELINE = "a handler that counts bytes, a call for each";

/** Blobs of 1 to 16 KiB a second. */
export async function benchmarkSmallBlobs(): Promise<void> {
  for (const [inFlight, count] of COUNTS) {
    const puts: Figures = new Map();
    const reads: Figures = new Map();
    for (let round = 0; round < ROUNDS; round++) {
      const blobs = Array.from({ length: count }, (_, index) =>
        fixtures.pseudoRandomBytes(1024 + ((index * 7919) % 15_361), 1 + round * count + index),
      );
      await measureBare(puts, blobs, inFlight);
      await measureDaemon(puts, reads, blobs, inFlight);
    }
    const title = `${count} blobs of 1 to 16 KiB, ${inFlight} in flight`;
    report(`Put of ${title}`, puts, BASELINE, "blobs/s");
    report(`Read of ${title}`, reads, "tvix-store, our client", "blobs/s");
  }
}

/** Calls of our own transport, of which a handler of Connect counts the bytes. */
async function measureBare(figures: Figures, blobs: readonly Uint8Array[], inFlight: number): Promise<void> {
  const server = await startBareServers();
  const transport = createGrpcTransport({ url: `http://127.0.0.1:${server.port}` });
  const put = (bytes: Uint8Array) =>
    transport.putWholeBlob("/tvix.castore.v1.BlobService/Put", bytes, undefined);
  await put(new Uint8Array(1));
  await measureEach(figures, BASELINE, blobs, inFlight, put);
  await transport.close();
  await server.stop();
}

async function measureDaemon(
  puts: Figures,
  reads: Figures,
  blobs: readonly Uint8Array[],
  inFlight: number,
): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), "bench-"));
  const daemon = await startDaemon(data);
  const transport = createGrpcTransport({ url: `http://127.0.0.1:${daemon.port}` });
  const service = new GrpcBlobService(transport);
  await service.put(new Uint8Array(1));
  const stored = await measureEach(
    puts,
    "tvix-store, flushed to the disk",
    blobs,
    inFlight,
    async (bytes) => ({
      digest: await service.put(bytes),
      size: bytes.length,
    }),
  );
  await measureEach(reads, "tvix-store, our client", stored, inFlight, async ({ digest, size }) => {
    for await (const _ of (await service.read(digest, { sizeHint: size })) ?? []);
  });
  await transport.close();
  await daemon.stop();
  await rm(data, { recursive: true });
}

/** As many a second, where others print bytes. */
async function measureEach<T, R>(
  figures: Figures,
  name: string,
  items: readonly T[],
  inFlight: number,
  use: (item: T) => Promise<R>,
): Promise<R[]> {
  let results: R[] = [];
  await measure(figures, name, items.length * 1e6, async () => {
    results = await Array.fromAsync(mapConcurrently(items, inFlight, use));
  });
  return results;
}
