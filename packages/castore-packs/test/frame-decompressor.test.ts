import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameDecompressor } from "../src/frame-decompressor.ts";
import { isOneBlockFrame } from "../src/one-block-frame.ts";

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 20_000 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(400)).map(([word, times]) => {
    const text = new Uint8Array(word.length * times);
    for (let at = 0; at < text.length; at += word.length) text.set(word, at);
    return text;
  }),
);

const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

test("one frame after the other gives what was compressed, whatever damaged ones lie between them", () => {
  const decompressor = new FrameDecompressor();
  fc.assert(
    fc.property(
      fc.array(fc.record({ contents, hasChecksum: fc.boolean(), damageAt: fc.option(fc.nat()) })),
      (frames) => {
        for (const { contents, hasChecksum, damageAt } of frames) {
          const frame = zstdCompressSync(contents, hasChecksum ? withChecksum : {});
          if (damageAt !== null) {
            const damaged = new Uint8Array(frame);
            damaged[damageAt % damaged.length] = ~(damaged[damageAt % damaged.length] as number);
            decompressor.decompress(damaged);
          }
          const found = decompressor.decompress(frame);
          // An empty frame has no piece, and is nobody's chunk.
          if (contents.length > 0) expect(found && Buffer.from(found)).toEqual(Buffer.from(contents));
        }
      },
    ),
  );
});

test("a frame is told from one that ends early, goes on, or has several blocks", () => {
  fc.assert(
    fc.property(contents, fc.boolean(), (contents, hasChecksum) => {
      const frame = zstdCompressSync(contents, hasChecksum ? withChecksum : {});
      expect(isOneBlockFrame(frame)).toBe(true);
      expect(isOneBlockFrame(Buffer.concat([frame, new Uint8Array(1)]))).toBe(false);
      for (let length = 0; length < Math.min(frame.length, 300); length++) {
        expect(isOneBlockFrame(frame.subarray(0, length))).toBe(false);
      }
      expect(isOneBlockFrame(frame.subarray(0, frame.length - 1))).toBe(false);
    }),
  );
  expect(isOneBlockFrame(zstdCompressSync(new Uint8Array(1 << 20)))).toBe(false);
});
