import { nativeBlake3, useNativeBlake3 } from "@tvix/blake3-native";
import { B3Digest } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import { expect, test } from "vitest";
import { blake3 as portable } from "../../castore/src/digest/blake3-portable.ts";

test("native digests are those of JavaScript, whole and in pieces", () => {
  const native = nativeBlake3();
  if (native === undefined) throw new Error("there is no native BLAKE3 for this platform");
  for (const length of [0, 1, 63, 64, 65, 1023, 1024, 1025, 16_384, 100_001]) {
    const bytes = fixtures.pseudoRandomBytes(length, length + 1);
    const expected = portable.hash(bytes);
    expect(native.hash(bytes)).toEqual(expected);
    const hasher = native.createHasher();
    const middle = length >> 1;
    hasher.update(bytes.subarray(0, middle));
    hasher.update(bytes.subarray(middle));
    expect(hasher.digest()).toEqual(expected);
  }
});

test("a digest that was begun before is finished as it was begun", () => {
  const bytes = fixtures.pseudoRandomBytes(10_000, 1);
  const begun = B3Digest.createHasher();
  begun.update(bytes.subarray(0, 5000));
  expect(useNativeBlake3()).toBe(true);
  begun.update(bytes.subarray(5000));
  expect(B3Digest.finish(begun).equals(B3Digest.of(bytes))).toBe(true);
  expect(useNativeBlake3()).toBe(true);
});
