import { expect } from "vitest";

// Bytes that are equal are found to be so by one comparison, not element by element, which takes
// half a second for a megabyte or two. What differs is left to the usual way, which shows where.
expect.addEqualityTesters([
  (one: unknown, other: unknown) => {
    if (!(one instanceof Uint8Array && other instanceof Uint8Array)) return undefined;
    if (one.constructor !== other.constructor) return undefined;
    return Buffer.compare(one, other) === 0 ? true : undefined;
  },
]);
