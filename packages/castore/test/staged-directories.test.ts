import fc from "fast-check";
import { expect, test } from "vitest";
import { B3Digest } from "../src/digest/b3-digest.ts";
import { type StagedDirectory, StagedList, splitStaged } from "../src/records/staged-directories.ts";

/** Lengths of encodings, some of which are far longer than what a list has room for. */
const anyLength = fc.oneof(fc.nat(100), fc.nat(5000), fc.constantFrom(0, 1024 - 36, 100_000));

test("directories come out of a list as they went in, list after list", () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyLength, { maxLength: 20 }), { maxLength: 5 }), (lists) => {
      const list = new StagedList();
      const taken: [StagedDirectory[], Uint8Array][] = [];
      for (const lengths of lists) {
        const directories = lengths.map((length, index) => {
          const encoded = new Uint8Array(length).fill(index + 1);
          return { digest: B3Digest.of(encoded), encoded };
        });
        for (const directory of directories) list.add(directory);
        expect(list.length).toBe(lengths.reduce((sum, length) => sum + 36 + length, 0));
        taken.push([directories, list.take()]);
        expect(list.length).toBe(0);
      }
      // Only now: what was taken is not written over by what comes later.
      for (const [directories, bytes] of taken) {
        const found = [...splitStaged(bytes)];
        expect(found.map(({ digest }) => digest.toHex())).toEqual(
          directories.map(({ digest }) => digest.toHex()),
        );
        expect(found.map(({ encoded }) => Buffer.from(encoded))).toEqual(
          directories.map(({ encoded }) => Buffer.from(encoded)),
        );
      }
    }),
  );
});

test("what is no list is noticed", () => {
  expect(() => [...splitStaged(new Uint8Array(10))]).toThrow(RangeError);
  const list = new StagedList();
  list.add({ digest: B3Digest.of(new Uint8Array(0)), encoded: new Uint8Array(50) });
  expect(() => [...splitStaged(list.take().subarray(0, 80))]).toThrow("a directory ends at 86 of 80 bytes");
});
