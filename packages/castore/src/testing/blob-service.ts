import { type ByteStream, collect } from "@tvix/byte-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BlobService } from "../blob/blob-service.ts";
import { DEFAULT_CHUNK_SIZES } from "../chunking/parameters.ts";
import { B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { pseudoRandomBytes } from "./fixtures.ts";

/** A service under test, and what to do with it afterwards. */
export interface BlobServiceFixture {
  readonly blobService: BlobService;
  /** Where the tests put, if the service itself takes nothing. */
  readonly filledThrough?: BlobService;
  /** Frees what the service holds. */
  readonly close?: () => Promise<void>;
}

const ALL = 64 << 20;
const { min, max } = DEFAULT_CHUNK_SIZES;

/** Lengths around every boundary: of a piece, of the shortest and of the longest chunk. */
const LENGTHS = [1, 2, 4096, min - 1, min, min + 1, max - 1, max, max + 1, 2 * max + 1, 3_000_000];

/**
 * Registers, with vitest, the tests that every {@link BlobService} passes.
 *
 * @param name of the service, for the report
 * @param setUp makes an empty service; called for each test
 */
export function testBlobService(name: string, setUp: () => Promise<BlobServiceFixture>): void {
  describe(`BlobService contract: ${name}`, () => {
    let fixture: BlobServiceFixture;
    let blobs: BlobService;
    let filled: BlobService;
    let seed = 100;

    beforeEach(async () => {
      fixture = await setUp();
      blobs = fixture.blobService;
      filled = fixture.filledThrough ?? blobs;
    });
    afterEach(async () => {
      await fixture.close?.();
    });

    const readAll = async (digest: B3Digest, options = {}) => {
      const stream = await blobs.read(digest, options);
      return stream === undefined ? undefined : await collect(stream, ALL);
    };

    test("what was never put is not there", async () => {
      const digest = B3Digest.of(pseudoRandomBytes(10, 1));
      expect(await blobs.has(digest)).toBe(false);
      expect(await blobs.read(digest)).toBeUndefined();
      expect(await blobs.chunks(digest)).toBeUndefined();
    });

    test("the empty blob is always there", async () => {
      expect(await blobs.has(EMPTY_DIGEST)).toBe(true);
      expect(await blobs.chunks(EMPTY_DIGEST)).toEqual([]);
      expect(await readAll(EMPTY_DIGEST)).toHaveLength(0);
      for (const source of [new Uint8Array(0), [], [new Uint8Array(0), new Uint8Array(0)]]) {
        expect((await filled.put(source)).toHex()).toBe(EMPTY_DIGEST.toHex());
      }
    });

    test.each(LENGTHS)("a blob of %i bytes comes back, whole and in chunks", async (length) => {
      const bytes = pseudoRandomBytes(length, seed++);
      const expected = B3Digest.of(bytes);
      expect((await filled.put(inPieces(bytes, 60_000))).toHex()).toBe(expected.toHex());
      expect(await blobs.has(expected)).toBe(true);
      expectEqualBytes(await readAll(expected), bytes);

      const chunks = await blobs.chunks(expected);
      if (chunks === undefined) throw new Error("chunks() does not know a blob that is there");
      let offset = 0;
      for (const { digest, size } of chunks) {
        const chunk = bytes.subarray(offset, offset + size);
        expect(B3Digest.of(chunk).toHex()).toBe(digest.toHex());
        expectEqualBytes(await readAll(digest), chunk);
        offset += size;
      }
      if (chunks.length > 0) expect(offset).toBe(length);
    });

    test("where pieces begin and end has no meaning", async () => {
      const bytes = pseudoRandomBytes(max + 12_345, seed++);
      const expected = B3Digest.of(bytes).toHex();
      for (const size of [1000, 65_536, max, max + 1, bytes.length]) {
        expect((await filled.put(inPieces(bytes, size))).toHex()).toBe(expected);
      }
      expect((await filled.put(bytes)).toHex()).toBe(expected);
      const tiny = pseudoRandomBytes(300, seed++);
      expect((await filled.put(inPieces(tiny, 1))).toHex()).toBe(B3Digest.of(tiny).toHex());
    });

    test("the same chunk twice in a blob", async () => {
      const zeros = new Uint8Array(2 * max);
      const digest = await filled.put(inPieces(zeros, 100_000));
      expect(digest.toHex()).toBe(B3Digest.of(zeros).toHex());
      expectEqualBytes(await readAll(digest), zeros);
    });

    test("any part of a blob can be read", async () => {
      const bytes = pseudoRandomBytes(2_000_000, seed++);
      const digest = await filled.put(bytes);
      const ranges: [offset: number, length: number | undefined][] = [
        [0, 0],
        [0, 1],
        [0, undefined],
        [10, 10],
        [1_999_999, undefined],
        [1_999_990, 100],
        [2_000_000, undefined],
        [2_000_001, 5],
        [12_345, 1_500_000],
        ...((await blobs.chunks(digest)) ?? [])
          .slice(0, 2)
          .map(({ size }): [number, number] => [size - 1, 2]),
      ];
      for (const [offset, length] of ranges) {
        const expected = bytes.subarray(offset, length === undefined ? undefined : offset + length);
        expectEqualBytes(
          await readAll(digest, { offset, ...(length === undefined ? {} : { length }) }),
          expected,
        );
      }
    });

    test("a part that is no whole number from 0 on is refused", async () => {
      const digest = await filled.put(Uint8Array.of(1, 2, 3));
      for (const options of [{ offset: -1 }, { offset: 0.5 }, { length: -1 }, { length: Number.NaN }]) {
        await expect(blobs.read(digest, options)).rejects.toThrow(RangeError);
      }
    });

    test("many put the same blob at once", async () => {
      const bytes = pseudoRandomBytes(1_200_000, seed++);
      const expected = B3Digest.of(bytes).toHex();
      const digests = await Promise.all(
        Array.from({ length: 12 }, () => filled.put(inPieces(bytes, 50_000))),
      );
      expect(digests.map((digest) => digest.toHex())).toEqual(digests.map(() => expected));
      expectEqualBytes(await readAll(B3Digest.of(bytes)), bytes);
    });

    test("many put and read different blobs at once", async () => {
      const all = Array.from({ length: 40 }, (_, index) => pseudoRandomBytes(1 + index * 20_011, seed++));
      await Promise.all(
        all.map(async (bytes) => {
          expectEqualBytes(await readAll(await filled.put(inPieces(bytes, 33_333))), bytes);
        }),
      );
    });

    test("many short blobs are put and read at once, whatever their length is taken to be", async () => {
      const all = Array.from({ length: 300 }, (_, index) =>
        pseudoRandomBytes((index * 547) % 90_000, seed++),
      );
      const digests = await Promise.all(all.map((bytes) => filled.put(bytes)));
      expect(digests.map(String)).toEqual(all.map((bytes) => B3Digest.of(bytes).toString()));
      const unknown = B3Digest.of(pseudoRandomBytes(11, seed++));
      for (const wrong of [0, -200, 200]) {
        const read = await Promise.all(
          [...digests, unknown].map((digest, index) => {
            return readAll(digest, { sizeHint: Math.max(0, (all[index]?.length ?? 10) + wrong) });
          }),
        );
        expect(read.pop()).toBeUndefined();
        for (const [index, bytes] of read.entries()) expectEqualBytes(bytes, all[index] as Uint8Array);
      }
    });

    test("a source that fails leaves nothing behind", async () => {
      const bytes = pseudoRandomBytes(1_500_000, seed++);
      const failure = new Error("the source failed");
      async function* failing(): ByteStream {
        yield* inPieces(bytes, 100_000);
        throw failure;
      }
      await expect(filled.put(failing())).rejects.toThrow();
      expect(await blobs.has(B3Digest.of(bytes))).toBe(false);
      expectEqualBytes(await readAll(await filled.put(bytes)), bytes);
    });

    test("an aborted put rejects with the reason and leaves nothing behind", async () => {
      const bytes = pseudoRandomBytes(1_500_000, seed++);
      const controller = new AbortController();
      const reason = new Error("changed my mind");
      async function* aborting(): ByteStream {
        yield bytes.subarray(0, 1_000_000);
        controller.abort(reason);
        yield bytes.subarray(1_000_000);
      }
      await expect(filled.put(aborting(), { signal: controller.signal })).rejects.toBe(reason);
      expect(await blobs.has(B3Digest.of(bytes))).toBe(false);
    });

    test("an aborted signal ends every operation with its reason", async () => {
      const digest = await filled.put(pseudoRandomBytes(1000, seed++));
      const reason = new Error("too late");
      const signal = AbortSignal.abort(reason);
      await expect(blobs.has(digest, { signal })).rejects.toBe(reason);
      await expect(blobs.chunks(digest, { signal })).rejects.toBe(reason);
      await expect(blobs.read(digest, { signal })).rejects.toBe(reason);
      await expect(filled.put(Uint8Array.of(1), { signal })).rejects.toBe(reason);
    });

    test("a reader may leave early", async () => {
      const bytes = pseudoRandomBytes(4_000_000, seed++);
      const digest = await filled.put(bytes);
      const stream = await blobs.read(digest);
      if (stream === undefined) throw new Error("not there");
      for await (const piece of stream) {
        expectEqualBytes(piece, bytes.subarray(0, piece.length));
        break;
      }
      expectEqualBytes(await readAll(digest), bytes);
    });
  });
}

async function* inPieces(bytes: Uint8Array, size: number): ByteStream {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** Like `toEqual`, but fast for megabytes, and with a readable report. */
function expectEqualBytes(found: Uint8Array | undefined, expected: Uint8Array): void {
  expect(found?.length).toBe(expected.length);
  if (found !== undefined) expect(B3Digest.of(found).toHex()).toBe(B3Digest.of(expected).toHex());
}
