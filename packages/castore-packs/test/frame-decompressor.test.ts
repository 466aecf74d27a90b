import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { frameBlocks } from "../src/frame-blocks.ts";
import { FrameDecompressor } from "../src/frame-decompressor.ts";
import { zstdCodec } from "../src/zstd-codec.ts";
import { ZstdPool } from "../src/zstd-pool.ts";

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 20_000 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(20_000)).map(([word, times]) => {
    const text = new Uint8Array(word.length * times);
    for (let at = 0; at < text.length; at += word.length) text.set(word, at);
    return text;
  }),
);

function compressed(bytes: Uint8Array, hasChecksum: boolean): Buffer {
  return zstdCompressSync(bytes, hasChecksum ? { params: { [constants.ZSTD_c_checksumFlag]: 1 } } : {});
}

test("one frame after the other gives what was compressed, whatever damaged ones lie between them", () => {
  const decompressor = new FrameDecompressor();
  fc.assert(
    fc.property(
      fc.array(fc.record({ contents, hasChecksum: fc.boolean(), damageAt: fc.option(fc.nat()) })),
      (frames) => {
        for (const { contents, hasChecksum, damageAt } of frames) {
          const frame = compressed(contents, hasChecksum);
          if (damageAt !== null) {
            const damaged = new Uint8Array(frame);
            damaged[damageAt % damaged.length] = ~(damaged[damageAt % damaged.length] as number);
            decompressor.decompress(damaged, contents.length);
          }
          const found = decompressor.decompress(frame, contents.length);
          expect(found && Buffer.concat(found).equals(contents)).toBe(true);
        }
      },
    ),
  );
});

test("a chunk of many blocks, and one that does not compress", () => {
  const decompressor = new FrameDecompressor();
  for (const bytes of [new Uint8Array(1 << 20), randomBytes(700_000), Buffer.from("word ".repeat(200_000))]) {
    const found = decompressor.decompress(zstdCompressSync(bytes), bytes.length);
    expect(found && Buffer.concat(found).equals(bytes)).toBe(true);
  }
});

test("a frame that decodes to another length, or to far more, is refused", () => {
  const decompressor = new FrameDecompressor();
  const frame = zstdCompressSync(new Uint8Array(64 << 20));
  expect(frame.length).toBeLessThan(10_000);
  expect(decompressor.decompress(frame, 10_000)).toBeUndefined();
  expect(decompressor.decompress(zstdCompressSync(Buffer.from("abc")), 2)).toBeUndefined();
});

test("a frame is told from one that ends early, or goes on", () => {
  fc.assert(
    fc.property(contents, fc.boolean(), (contents, hasChecksum) => {
      const frame = compressed(contents, hasChecksum);
      expect(frameBlocks(frame)).toBeGreaterThan(0);
      expect(frameBlocks(Buffer.concat([frame, new Uint8Array(1)]))).toBeUndefined();
      for (let length = 0; length < Math.min(frame.length, 300); length++) {
        expect(frameBlocks(frame.subarray(0, length))).toBeUndefined();
      }
      expect(frameBlocks(frame.subarray(0, frame.length - 1))).toBeUndefined();
    }),
  );
  expect(frameBlocks(zstdCompressSync(new Uint8Array(1 << 20)))).toBeGreaterThan(1);
});

test("short chunks one after the other are decoded whole, wherever the output of the decompressor ends", async () => {
  const codec = zstdCodec(new ZstdPool(3));
  for (let index = 0; index < 100; index++) {
    const bytes = Buffer.from(`${index} of many `.repeat(1 + 37 * index));
    const payload = zstdCompressSync(bytes);
    const decoded = await codec.decode({ encoding: "zstd", size: bytes.length, payload });
    expect(bytes.equals(decoded)).toBe(true);
  }
});
