import { create, toBinary } from "@bufbuild/protobuf";
import { B3Digest, Directory, type DirectoryEntry, PathComponent, SymlinkTarget } from "@tvix/castore";
import { formatEntries } from "@tvix/castore/backend";
import { DirectorySchema } from "@tvix/protocol/tvix/castore";
import fc from "fast-check";
import { expect, test } from "vitest";

const U64_MAX = 2n ** 64n - 1n;

/** Sizes around the lengths of varints, and those that are no safe integers. */
const anySize = fc
  .oneof(
    fc.bigInt(0n, U64_MAX),
    fc
      .integer({ min: 0, max: 9 })
      .chain((bytes) => fc.bigInt(-2n, 2n).map((near) => (1n << BigInt(7 * bytes)) + near)),
    fc.bigInt(-2n, 2n).map((near) => 2n ** 53n + near),
    fc.constantFrom(0n, U64_MAX),
  )
  .map((size) => (size < 0n ? 0n : size));
const anyDigest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => B3Digest.from(bytes));
const anyBytes = (maxLength: number) =>
  fc
    .uint8Array({ minLength: 1, maxLength })
    .map((bytes) => bytes.map((byte) => (byte % 2 === 0 ? 0x61 : 0x62)));
const anyEntry: fc.Arbitrary<DirectoryEntry> = fc.record({
  name: anyBytes(255).map((name) => PathComponent.from(name)),
  node: fc.oneof(
    fc.record({
      type: fc.constant("directory" as const),
      digest: anyDigest,
      size: anySize.map((size) => size / 8n),
    }),
    fc.record({
      type: fc.constant("file" as const),
      digest: anyDigest,
      size: anySize,
      executable: fc.boolean(),
    }),
    fc.record({
      type: fc.constant("symlink" as const),
      target: anyBytes(4095).map((target) => SymlinkTarget.from(target)),
    }),
  ),
});
const anyEntries = fc.uniqueArray(anyEntry, {
  maxLength: 7,
  comparator: (one, other) => one.name.equals(other.name),
});

test("the canonical encoding is what a library for protobuf writes", () => {
  fc.assert(
    fc.property(anyEntries, (entries) => {
      const directory = Directory.of(entries);
      const expected = toBinary(DirectorySchema, create(DirectorySchema, formatEntries(directory.entries)));
      expect(directory.encode()).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});
