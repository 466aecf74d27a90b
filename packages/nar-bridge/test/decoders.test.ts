import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { MemoryLedger } from "@tvix/castore";
import { encodeNixbase32 } from "@tvix/nix-compat";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { watchXzBlocks } from "../src/compression/xz-blocks.ts";
import { cutAtFrames } from "../src/compression/zstd-frames.ts";
import { startCache } from "./running-cache.ts";
import { smallSample } from "./samples.ts";

const MIB = 1 << 20;

function compressed(tool: readonly string[], input: Uint8Array): Buffer {
  return execFileSync(tool[0] as string, tool.slice(1), { input, maxBuffer: 1 << 30 });
}

async function* pieces(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** What a watcher passes on, and the windows that it tells of. */
async function watched(
  watch: typeof watchXzBlocks,
  bytes: Uint8Array,
  pieceLength: number,
): Promise<[Buffer, number[]]> {
  const windows: number[] = [];
  const out = watch(pieces(bytes, pieceLength), async (window) => void windows.push(window));
  return [Buffer.concat(await Array.fromAsync(out)), windows];
}

/** Text and noise, so that there are packed and plain chunks. */
const CONTENTS = Buffer.concat([
  Buffer.from("the same again and again. ".repeat(20_000)),
  createHash("shake256", { outputLength: 300_000 }).update("noise").digest(),
]);

describe("what a stream asks for is known before it is decoded", () => {
  test.each<[string, readonly string[], number[]]>([
    ["one block", ["xz", "--lzma2=dict=1MiB", "-c"], [MIB]],
    ["three times a power of two", ["xz", "--lzma2=dict=3MiB", "-c"], [3 * MIB]],
    [
      "blocks with their lengths",
      ["xz", "-T2", "--block-size=300000", "--lzma2=dict=64KiB", "-c"],
      [65536, 65536, 65536],
    ],
    ["another filter before it", ["xz", "--x86", "--lzma2=dict=2MiB", "--check=sha256", "-c"], [2 * MIB]],
    ["no check", ["xz", "--check=none", "--lzma2=dict=4KiB", "-c"], [4096]],
  ])("xz: %s", async (_what, tool, windows) => {
    const file = compressed(tool, CONTENTS);
    for (const length of [1, 7, 4096, file.length]) {
      const [out, found] = await watched(watchXzBlocks, file, length);
      expect(out.equals(file)).toBe(true);
      expect(found).toEqual(windows);
    }
  });

  test("xz: several streams, with padding between and behind them", async () => {
    const one = compressed(["xz", "--lzma2=dict=1MiB", "-c"], CONTENTS);
    const two = compressed(["xz", "--lzma2=dict=2MiB", "-c"], CONTENTS);
    const empty = compressed(["xz", "-c"], Buffer.alloc(0));
    const file = Buffer.concat([one, Buffer.alloc(8), empty, two, Buffer.alloc(4)]);
    const [out, found] = await watched(watchXzBlocks, file, 1000);
    expect(out.equals(file)).toBe(true);
    expect(found).toEqual([MIB, 2 * MIB]);
  });

  test("xz: whatever else comes ends, and nothing of it is changed", async () => {
    const file = compressed(["xz", "--block-size=100000", "-c"], CONTENTS.subarray(0, 300_000));
    const change = fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(file.length));
    await fc.assert(
      fc.asyncProperty(change, async ([at, byte, length]) => {
        const damaged = Buffer.from(file.subarray(0, length));
        if (at < damaged.length) damaged[at] = byte;
        const out: Uint8Array[] = [];
        const watching = watchXzBlocks(pieces(damaged, 512), async () => {});
        try {
          for await (const piece of watching) out.push(piece);
          expect(Buffer.concat(out).equals(damaged)).toBe(true);
        } catch {
          expect(damaged.subarray(0, Buffer.concat(out).length).equals(Buffer.concat(out))).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each<[string, readonly string[], number]>([
    ["a long window", ["zstd", "--long=24", "--no-content-size", "-c"], 16 * MIB],
    ["a window of its own", ["zstd", "--zstd=wlog=19", "--no-content-size", "-c"], MIB / 2],
    ["all of its content", ["zstd", "-c"], 1000],
  ])("zstd: %s", async (_what, tool, window) => {
    const file = compressed(tool, window === 1000 ? CONTENTS.subarray(0, 1000) : CONTENTS);
    // From a pipe, zstd knows no length; it is told one here.
    const sized =
      window === 1000 ? compressed(["zstd", "--stream-size=1000", "-c"], CONTENTS.subarray(0, 1000)) : file;
    const [out, found] = await watched(cutAtFrames, sized, 100);
    expect(out.equals(sized)).toBe(true);
    expect(found).toEqual([window]);
  });
});

/** The same xz file with another dictionary in the head of its first block, as 2 or 3 times a power of two. */
function withDictionary(file: Buffer, bits: number): Buffer {
  const bomb = Buffer.from(file);
  const headBytes = 4 * ((bomb[12] as number) + 1);
  const head = bomb.subarray(12, 12 + headBytes);
  const at = head.indexOf(Buffer.from([0x21, 0x01])) + 2;
  head[at] = bits;
  head.writeUInt32LE(crc32(head.subarray(0, -4)), headBytes - 4);
  return bomb;
}

describe("a bomb", () => {
  const narOf = async () => (await smallSample("contents")).nar;
  const put = async (url: string, file: Buffer, suffix: string) => {
    const digest = createHash("sha256").update(file).digest();
    const response = await fetch(`${url}/nar/${encodeNixbase32(digest)}.nar${suffix}`, {
      method: "PUT",
      body: new Uint8Array(file),
    });
    return [response.status, await response.text()] as const;
  };

  test("that asks for a large window is refused before it has any", async () => {
    const cache = await startCache();
    const nar = await narOf();
    const xz = compressed(["xz", "--lzma2=dict=4KiB", "-c"], nar);
    const lzma = compressed(["xz", "--format=lzma", "-c"], nar);
    lzma.writeUInt32LE(3 * 2 ** 29, 1);
    const before = process.memoryUsage().rss;
    for (const [file, suffix] of [
      [withDictionary(xz, 37), ".xz"],
      [withDictionary(xz, 40), ".xz"],
      [compressed(["zstd", "--long=30", "--no-content-size", "-c"], nar), ".zst"],
      [lzma, ".lzma"],
    ] as const) {
      const [status, text] = await put(cache.url, file, suffix);
      expect([status, text]).toEqual([413, expect.stringContaining("asks for a window of")]);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
    // As large as xz -9 has it is given.
    expect(await put(cache.url, withDictionary(xz, 28), ".xz")).toEqual([200, ""]);
  });

  test("and many at once wait for each other's memory", async () => {
    const memory = new MemoryLedger(100 * MIB);
    let most = 0;
    const watching = setInterval(() => {
      most = Math.max(most, memory.held);
    }, 1);
    const cache = await startCache({ memory });
    const nar = await narOf();
    const file = compressed(["xz", "-9", "-c"], nar);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => put(cache.url, file, ".xz")));
    clearInterval(watching);
    expect(outcomes).toEqual(Array.from({ length: 8 }, () => [200, ""]));
    expect(most).toBeLessThanOrEqual(100 * MIB);
    expect([memory.held, memory.waiting]).toEqual([0, 0]);
  });

  test("one that finds no memory for a while is told to come again", async () => {
    const memory = new MemoryLedger(100 * MIB, { waitMs: 50 });
    const cache = await startCache({ memory });
    const held = await memory.hold(90 * MIB, "somebody else");
    const file = compressed(["xz", "-9", "-c"], await narOf());
    expect(await put(cache.url, file, ".xz")).toEqual([503, "too much is under way, try again later\n"]);
    held.release();
    expect(await put(cache.url, file, ".xz")).toEqual([200, ""]);
  });
});
