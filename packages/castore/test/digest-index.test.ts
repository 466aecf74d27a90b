import fc from "fast-check";
import { expect, test } from "vitest";
import { B3Digest } from "../src/digest/b3-digest.ts";
import { DigestIndex } from "../src/digest/digest-index.ts";

test("each digest has the number in whose place it came", () => {
  const index = new DigestIndex();
  const digests = Array.from({ length: 20_000 }, (_, number) => B3Digest.of(Buffer.from(`${number}`)));
  for (const [number, digest] of digests.entries()) {
    expect(index.find(digest)).toBeUndefined();
    expect(index.add(digest)).toBe(number);
  }
  expect(index.length).toBe(digests.length);
  for (const [number, digest] of digests.entries()) {
    expect(index.find(B3Digest.from(digest.bytes.slice()))).toBe(number);
    expect(index.at(number).equals(digest)).toBe(true);
  }
});

test("it is a map of digests to numbers, however alike they are", () => {
  const almostAlike = fc
    .record({ at: fc.integer({ min: 0, max: 31 }), byte: fc.integer({ min: 0, max: 3 }) })
    .map(({ at, byte }) => B3Digest.from(new Uint8Array(32).fill(byte, at, at + 1)));
  fc.assert(
    fc.property(fc.array(almostAlike, { maxLength: 200 }), (digests) => {
      const [index, model] = [new DigestIndex(), new Map<string, number>()];
      for (const digest of digests) {
        expect(index.find(digest)).toBe(model.get(digest.key));
        if (model.has(digest.key)) continue;
        model.set(digest.key, index.add(digest));
        expect(model.get(digest.key)).toBe(model.size - 1);
      }
    }),
  );
});

test("a digest may be a part of something longer", () => {
  const long = Uint8Array.from({ length: 100 }, (_, at) => at);
  const index = new DigestIndex();
  const digest = B3Digest.from(long.subarray(3, 35));
  index.add(digest);
  expect(index.find(B3Digest.from(long.slice(3, 35)))).toBe(0);
  expect(index.at(0).bytes).toEqual(long.slice(3, 35));
  expect(index.find(B3Digest.from(long.subarray(4, 36)))).toBeUndefined();
});
