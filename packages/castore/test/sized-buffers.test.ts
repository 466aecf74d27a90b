import fc from "fast-check";
import { expect, test } from "vitest";
import { SizedBuffers } from "../src/memory-use/sized-buffers.ts";

test("a buffer is as long as was asked, and at most twice as long", () => {
  const buffers = new SizedBuffers([100, 200, 400], 2);
  fc.assert(
    fc.property(fc.nat(1000), (length) => {
      const buffer = buffers.acquire(length);
      expect(buffer.length).toBeGreaterThanOrEqual(length);
      expect(buffer.length).toBeLessThanOrEqual(2 * length);
      buffers.release(buffer);
    }),
  );
});

test("buffers are used again, a few of each length", () => {
  const buffers = new SizedBuffers([100, 200], 2);
  const taken = [101, 200, 150].map((length) => buffers.acquire(length));
  expect(new Set(taken).size).toBe(3);
  for (const buffer of taken) buffers.release(buffer);
  const again = [180, 190, 200].map((length) => buffers.acquire(length));
  expect(again.filter((buffer) => taken.includes(buffer)).length).toBe(2);
  expect(buffers.acquire(100).length).toBe(100);
});

test("what is longer or far shorter has memory of its own", () => {
  const buffers = new SizedBuffers([100, 200], 2);
  for (const length of [201, 49]) {
    const buffer = buffers.acquire(length);
    expect(buffer.length).toBe(length);
    buffers.release(buffer);
    expect(buffers.acquire(length)).not.toBe(buffer);
  }
});
