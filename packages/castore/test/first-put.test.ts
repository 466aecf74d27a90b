import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { B3Digest, MemoryBlobService } from "@tvix/castore";
import { expect, test } from "vitest";

// In a file of their own: digests become fast with the first put of a process, and it waits for that.
test("a stream that fails at once fails the very first put, and nothing else", async () => {
  const failing = [createReadStream("/no/such/file"), Readable.from([]).destroy(new Error("gone"))];
  const outcomes = await Promise.allSettled(failing.map((stream) => new MemoryBlobService().put(stream)));
  expect(outcomes).toMatchObject([
    { status: "rejected", reason: { code: "ENOENT" } },
    { status: "rejected", reason: { message: "gone" } },
  ]);
});

test("the first puts have the digests that later ones have", async () => {
  const bytes = new Uint8Array(3_000_000).map((_, index) => index % 251);
  const blobs = new MemoryBlobService();
  expect((await blobs.put(bytes)).equals(await blobs.put([bytes.subarray(0, 5), bytes.subarray(5)]))).toBe(
    true,
  );
  expect((await blobs.put(bytes)).equals(B3Digest.of(bytes))).toBe(true);
});
