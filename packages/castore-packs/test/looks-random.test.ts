import { createCipheriv, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { looksRandom } from "../src/looks-random.ts";

const CHUNK_BYTES = 128 << 10;

/** What every machine with Node has: machine code, tables, text. */
const PROGRAM = readFileSync(process.execPath).subarray(0, 48 << 20);

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const count = Math.floor(bytes.length / CHUNK_BYTES);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

/** What zstd makes of a chunk, as a part of its length. */
const compressed = (chunk: Uint8Array) => zstdCompressSync(chunk).length / chunk.length;

describe("what looks random", () => {
  test("bytes of a cipher: nearly every chunk of them", () => {
    const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16));
    const chunks = chunksOf(cipher.update(Buffer.alloc(64 << 20)));
    expect(chunks.filter(looksRandom).length).toBeGreaterThan(0.99 * chunks.length);
  });

  test("what is compressed already does, more often than not", () => {
    const chunks = chunksOf(gzipSync(PROGRAM));
    expect(chunks.filter(looksRandom).length).toBeGreaterThan(0.5 * chunks.length);
  });

  test("of the chunks of a program none that zstd makes shorter by a tenth", () => {
    const mistaken = chunksOf(PROGRAM).filter(looksRandom);
    expect(mistaken.filter((chunk) => compressed(chunk) < 0.9)).toEqual([]);
  });

  test.each([
    ["zeros", () => 0],
    ["numbers that count up", (index: number) => index & 0xff],
    ["numbers of four bytes", (index: number) => (index >> 2) >> (8 * (index & 3))],
    ["text of 64 letters", () => 32 + Math.floor(Math.random() * 64)],
  ])("%s do not", (_, valueAt) => {
    expect(looksRandom(Uint8Array.from({ length: CHUNK_BYTES }, (_, index) => valueAt(index)))).toBe(false);
  });

  test("a short chunk never does: it is compressed to see", () => {
    expect(looksRandom(randomBytes(1000))).toBe(false);
  });
});
