import { equalBytes } from "@tvix/byte-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StoredChunk, StoredChunkStore } from "../blob/stored-blobs.ts";
import type { EncodedChunk } from "../chunks/chunk-codec.ts";
import type { ChunkStore } from "../chunks/chunk-store.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { testChunk } from "./chunks.ts";

/** A chunk store under test, and what to do with it afterwards. */
export interface ChunkStoreFixture {
  readonly chunks: ChunkStore & StoredChunkStore;
  /** Damages whatever is stored by now. Default: it is out of reach. */
  readonly damage?: () => Promise<void>;
  /** The chunks as a process sees them that opens what is stored. Default: it does not last. */
  readonly reopen?: () => Promise<ChunkStore & StoredChunkStore>;
  /** Frees what the store holds. */
  readonly close?: () => Promise<void>;
}

/** Kept in records, on the border, and beyond. */
const LENGTHS = [1, 63, 64, 1000, 1024, 1025, 16_384, 16_385, 300_000, 524_288];

/**
 * Registers, with vitest, the tests that every {@link ChunkStore} passes that also tells how chunks are stored.
 *
 * @param name of the store, for the report
 * @param setUp makes an empty store; called for each test
 */
export function testChunkStore(name: string, setUp: () => Promise<ChunkStoreFixture>): void {
  describe(`ChunkStore contract: ${name}`, () => {
    let fixture: ChunkStoreFixture;
    let chunks: ChunkStore & StoredChunkStore;

    beforeEach(async () => {
      fixture = await setUp();
      chunks = fixture.chunks;
    });
    afterEach(async () => {
      await fixture.close?.();
    });

    const expectBytes = (found: Uint8Array | undefined, bytes: Uint8Array) =>
      expect(found !== undefined && equalBytes(found, bytes)).toBe(true);

    const described = async (digest: StoredChunk["digest"]) => {
      const chunk = await chunks.describe(digest);
      if (chunk === undefined) throw new Error(`chunk ${digest} is not there`);
      return chunk;
    };

    test("what was never written is not there", async () => {
      const { digest } = testChunk(100, 1);
      expect(await chunks.has(digest)).toBe(false);
      expect(await chunks.read(digest)).toBeUndefined();
      expect(await chunks.describe(digest)).toBeUndefined();
    });

    test.each(LENGTHS)("a chunk of %i bytes comes back, also as it is stored", async (length) => {
      for (const bytes of [testChunk(length, 1).bytes, new Uint8Array(length).fill(7)]) {
        const digest = B3Digest.of(bytes);
        await chunks.write(digest, bytes);
        expect(await chunks.has(digest)).toBe(true);
        expectBytes(await chunks.read(digest), bytes);
        const chunk = await described(digest);
        expect(chunk).toMatchObject({ size: length });
        const stored = await chunks.readStored(chunk);
        expect(stored).toMatchObject({ encoding: chunk.encoding, size: length });
        expect(stored.payload).toHaveLength(chunk.storedLength);
        if (chunk.encoding === "raw") expectBytes(stored.payload, bytes);
      }
    });

    test("memory is released, if at all, once; what was written does not change with it", async () => {
      const written = Array.from({ length: 20 }, (_, index) => testChunk(20_000 + index, index + 1));
      await Promise.all(
        written.map(async ({ digest, bytes }) => {
          const memory = bytes.slice();
          let released = 0;
          await chunks.write(digest, memory, () => {
            released++;
            memory.fill(0);
          });
          expect(released).toBeLessThanOrEqual(1);
          memory.fill(0);
        }),
      );
      for (const { digest, bytes } of written) expectBytes(await chunks.read(digest), bytes);
    });

    test("many read the same chunk at once", async () => {
      const { digest, bytes } = testChunk(300_000, 1);
      await chunks.write(digest, bytes);
      const found = await Promise.all(Array.from({ length: 20 }, () => chunks.read(digest)));
      for (const one of found) expectBytes(one, bytes);
    });

    test("a damaged chunk is never passed on, counts as absent, and is mended by a write", async ({
      skip,
    }) => {
      const { damage } = fixture;
      if (damage === undefined) return skip("what this store keeps is out of reach");
      const all = [testChunk(500, 1), testChunk(5000, 2), testChunk(400_000, 3)];
      for (const { digest, bytes } of all) await chunks.write(digest, bytes);
      await damage();
      for (const { digest, bytes } of all) {
        const before = chunks.version;
        await expect(chunks.read(digest)).rejects.toMatchObject({ code: "CORRUPT" });
        expect(chunks.version).not.toBe(before);
        expect(await chunks.has(digest)).toBe(false);
        expect(await chunks.describe(digest)).toBeUndefined();
        await chunks.write(digest, bytes);
        expect(chunks.version).not.toBe(before);
        expect(await chunks.has(digest)).toBe(true);
        expectBytes(await chunks.read(digest), bytes);
      }
    });

    test("a chunk that is damaged after it was described is not passed on, and read where it is then", async ({
      skip,
    }) => {
      const { damage } = fixture;
      if (damage === undefined) return skip("what this store keeps is out of reach");
      const { digest, bytes } = testChunk(5000, 1);
      await chunks.write(digest, bytes);
      const before = await described(digest);
      await damage();
      // What was described may hold the chunk itself.
      for (const code of ["CORRUPT", "INCOMPLETE"]) {
        const found = await chunks.readStored(before).catch((error: unknown) => error);
        if (found instanceof Error) expect(found).toMatchObject({ code });
        else expectBytes((found as EncodedChunk).payload, bytes);
      }
      await chunks.write(digest, bytes);
      expectBytes((await chunks.readStored(before)).payload, bytes);
    });

    test("chunks last, and so does what is known of damage", async ({ skip }) => {
      const { reopen, damage } = fixture;
      if (reopen === undefined) return skip("this store does not last");
      const all = [testChunk(500, 1), testChunk(5000, 2)];
      for (const { digest, bytes } of all) await chunks.write(digest, bytes);
      chunks = await reopen();
      for (const { digest, bytes } of all) expectBytes(await chunks.read(digest), bytes);
      if (damage === undefined) return;
      await damage();
      chunks = await reopen();
      for (const { digest } of all) {
        await expect(chunks.read(digest)).rejects.toMatchObject({ code: "CORRUPT" });
      }
      const { version } = chunks;
      chunks = await reopen();
      expect(chunks.version).toBe(version);
      for (const { digest, bytes } of all) {
        expect(await chunks.has(digest)).toBe(false);
        await chunks.write(digest, bytes);
        expectBytes(await chunks.read(digest), bytes);
      }
    });
  });
}
