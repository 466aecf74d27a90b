import fc from "fast-check";
import { expect, test } from "vitest";
import { FairWindow } from "../src/admission/fair-window.ts";

const KIB = 1024;

test("all windows together stay within what there is, while each may have less", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1 }), (counts) => {
      const capacity = 4096 * KIB;
      const window = new FairWindow(capacity, 16 * KIB, 2048 * KIB);
      for (const count of counts) {
        const before = window.bytes;
        expect(window.fitTo(count)).toBe(window.bytes !== before);
        expect(Math.log2(window.bytes) % 1).toBe(0);
        expect(window.bytes).toBeGreaterThanOrEqual(16 * KIB);
        expect(window.bytes).toBeLessThanOrEqual(2048 * KIB);
        if (window.bytes > 16 * KIB) expect(window.bytes * count).toBeLessThanOrEqual(capacity);
        // No less than a quarter of what would be fair: what has become smaller grows again.
        expect(window.bytes * count * 4).toBeGreaterThanOrEqual(Math.min(capacity, 2048 * KIB * count));
      }
    }),
  );
});

test("it does not go to and fro where one comes and goes", () => {
  const window = new FairWindow(4096 * KIB, 16 * KIB, 2048 * KIB);
  expect(window.fitTo(3)).toBe(true);
  const changes = Array.from({ length: 10 }, (_, turn) => window.fitTo(2 + (turn % 2)));
  expect(changes).not.toContain(true);
  expect(window.fitTo(1)).toBe(true);
  expect(window.bytes).toBe(2048 * KIB);
});
