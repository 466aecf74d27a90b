import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { B3Digest, type Directory } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { endDaemon, startDaemon } from "./tvix-store.ts";

/** Puts that go on at the same time, each one after the other. */
const WRITERS = 12;

/** Acknowledged puts after which the daemon is killed, a new number each time. */
const KILLED_AFTER = [1, 7, 40, 120, 300];

test.each(["--sync", "--no-sync"])(
  "after kill -9 amid puts every acknowledged one is there (%s)",
  async (sync) => {
    const data = join(await temporaryDirectory(), "data");
    const options = sync === "--no-sync" ? ["--no-sync"] : [];
    const blobs = new Map<string, number>();
    const directories: Directory[] = [];
    let seed = 1;

    for (const killedAfter of KILLED_AFTER) {
      const daemon = await startDaemon(data, ...options);
      // Nobody starts it anew while the writers go on.
      const transport = createGrpcTransport({ url: daemon.url }, { reconnectMs: 0 });
      const blobService = new GrpcBlobService(transport);
      const directoryService = new GrpcDirectoryService(transport);
      let acknowledged = 0;
      const killed = Promise.withResolvers<unknown>();
      const acknowledge = () => {
        acknowledged++;
        if (acknowledged === killedAfter) killed.resolve(endDaemon(daemon, "SIGKILL"));
      };
      const write = async () => {
        for (;;) {
          const own = seed++;
          const length = own % 10 === 0 ? 1_500_000 : own % 3 === 0 ? 40_000 : 300;
          const digest = await blobService.put(fixtures.pseudoRandomBytes(length, own));
          blobs.set(digest.toHex(), own);
          acknowledge();
          const leaf = fixtures.directoryOf({
            [`file ${own}`]: { type: "file", digest, size: BigInt(length), executable: false },
          });
          const root = fixtures.directoryOf({ leaf: fixtures.directoryNode(leaf) });
          await directoryService.putMany([leaf, root]);
          directories.push(root);
          acknowledge();
        }
      };
      const ends = await Promise.allSettled(Array.from({ length: WRITERS }, write));
      for (const end of ends)
        expect(end).toMatchObject({ status: "rejected", reason: { name: "CastoreError" } });
      expect(await killed.promise).toBe("SIGKILL");
      await transport.close();
    }

    const daemon = await startDaemon(data, ...options);
    await using transport = createGrpcTransport({ url: daemon.url });
    const blobService = new GrpcBlobService(transport);
    for (const hex of blobs.keys()) {
      const digest = B3Digest.parse(hex);
      const stream = await blobService.read(digest);
      if (stream === undefined) throw new Error(`blob ${digest} was acknowledged and is lost`);
      expect(B3Digest.of(await collect(stream, 2_000_000)).toHex()).toBe(hex);
    }
    const directoryService = new GrpcDirectoryService(transport);
    for (const root of directories) {
      expect(await Array.fromAsync(directoryService.getRecursive(root.digest()))).toHaveLength(2);
    }
    expect(blobs.size).toBeGreaterThan(200);
    expect(directories.length).toBeGreaterThan(100);
  },
);
