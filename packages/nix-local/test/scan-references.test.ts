import fc from "fast-check";
import { expect, test } from "vitest";
import { findReferences } from "../src/index.ts";

const digits = fc.string({
  unit: fc.constantFrom(..."0123456789abcdfghijklmnpqrsvwxyz"),
  minLength: 32,
  maxLength: 32,
});

test("every hash part that is in the bytes is found, wherever pieces end, and no other", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string({ maxLength: 50 }), digits), { maxLength: 5 }),
      fc.array(digits, { maxLength: 5 }),
      fc.integer({ min: 1, max: 60 }),
      async (parts, absent, length) => {
        const text = Buffer.from(parts.map(([before, hash]) => `${before}${hash}`).join(""));
        async function* pieces() {
          for (let at = 0; at < text.length; at += length) yield text.subarray(at, at + length);
        }
        const candidates = new Set([...parts.map(([, hash]) => hash), ...absent]);
        const expected = [...candidates].filter((hash) => text.includes(hash));
        expect([...(await findReferences(pieces(), candidates))].sort()).toEqual(expected.sort());
      },
    ),
  );
});
