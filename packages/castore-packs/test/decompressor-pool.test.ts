import { randomBytes } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { copyBytes } from "@tvix/byte-stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DecompressorPool } from "../src/decompressor-pool.ts";

/** Contents that compress more or less well, of up to 512 KiB. */
const contents = fc
  .record({ random: fc.nat(200_000), zeros: fc.nat(200_000), word: fc.string({ maxLength: 20 }) })
  .map(({ random, zeros, word }) =>
    Buffer.concat([Buffer.from(word.repeat(5000)), randomBytes(random), new Uint8Array(zeros)]),
  )
  .filter(({ length }) => length > 0 && length <= 512 << 10);

test("frames at once give what was compressed, whatever damaged ones are among them", async () => {
  const pool = new DecompressorPool();
  const one = fc.record({ contents, damageAt: fc.option(fc.nat()) });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 12 }), async (frames) => {
      const found = await Promise.allSettled(
        frames.map(async ({ contents, damageAt }) => {
          const frame = new Uint8Array(zstdCompressSync(contents));
          if (damageAt !== null) frame[damageAt % frame.length] = ~(frame[damageAt % frame.length] as number);
          if (!pool.takes(frame, contents.length)) throw new Error("not taken");
          return await pool.lend(frame, copyBytes);
        }),
      );
      for (const [index, { contents, damageAt }] of frames.entries()) {
        const outcome = found[index];
        if (damageAt !== null) continue;
        expect(outcome?.status).toBe("fulfilled");
        if (outcome?.status === "fulfilled") expect(contents.equals(outcome.value)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test("a frame that is damaged inside fails, and the next one is decompressed", async () => {
  const pool = new DecompressorPool();
  // One block, so that the end of the frame is told of by what comes before the damage.
  const text = Buffer.from(Array.from({ length: 15_000 }, (_, index) => (index * index) % 99_991).join(" "));
  const frame = new Uint8Array(zstdCompressSync(text));
  const failures = await Promise.allSettled(
    Array.from({ length: 20 }, async (_, index) => {
      const damaged = copyBytes(frame);
      damaged.fill(0xff, 40 + index);
      expect(pool.takes(damaged, text.length)).toBe(true);
      await pool.lend(damaged, copyBytes);
    }),
  );
  expect(failures.map(({ status }) => status)).toEqual(new Array(20).fill("rejected"));
  expect(text.equals(await pool.lend(frame, copyBytes))).toBe(true);
});

test("a failure of who looks at the contents is told, and its decompressor goes to the next one", async () => {
  const pool = new DecompressorPool();
  const frame = zstdCompressSync(new Uint8Array(100_000));
  const refuse = () => {
    throw new Error("not what was expected");
  };
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => pool.lend(frame, refuse)));
  expect(outcomes.map(({ status }) => status)).toEqual(new Array(10).fill("rejected"));
  expect(await pool.lend(frame, ({ length }) => length)).toBe(100_000);
});

test("memory is used again, and nothing is made for another frame", async () => {
  const pool = new DecompressorPool();
  const frame = zstdCompressSync(randomBytes(512 << 10));
  const memory = await Promise.all(
    Array.from({ length: 50 }, () => pool.lend(frame, ({ buffer }) => buffer)),
  );
  expect(new Set(memory).size).toBeLessThanOrEqual(4);
});

test("what is too long, no whole frame, or unfolds to more, is not taken", () => {
  const pool = new DecompressorPool();
  const frame = zstdCompressSync(new Uint8Array(100_000));
  expect(pool.takes(frame, 100_000)).toBe(true);
  expect(pool.takes(frame, (512 << 10) + 1)).toBe(false);
  expect(pool.takes(frame.subarray(0, frame.length - 1), 100_000)).toBe(false);
  expect(pool.takes(Buffer.concat([frame, frame]), 100_000)).toBe(false);
  expect(pool.takes(zstdCompressSync(new Uint8Array(64 << 20)), 100_000)).toBe(false);
  expect(pool.takes(new Uint8Array(), 100_000)).toBe(false);
});
