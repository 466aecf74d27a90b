import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { blake3 as noble } from "@noble/hashes/blake3.js";
import { B3Digest, ChunkCutter, type ChunkSizes, Directory, EMPTY_DIGEST, FastCdc } from "@tvix/castore";
import { fixtures } from "@tvix/castore/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GEAR } from "../src/chunking/gear.ts";
import { blake3Ready, blake3 as portable } from "../src/digest/blake3-portable.ts";

const text = (value: string) => new TextEncoder().encode(value);
const BLOB_B = Uint8Array.from({ length: 255 * 4096 }, (_, index) => index % 255);
const ZEROS_1M = new Uint8Array(1 << 20);

/** BLAKE3's extendable output of a fixed text. */
const xof = (length: number) => noble(text("tvix-fastcdc-vector"), { dkLen: length });

describe("BLAKE3", () => {
  test.each([
    ["EMPTY", text(""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
    ["HELLOWORLD", text("Hello World!"), "5ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c"],
    [
      "x86_64-linux",
      text("x86_64-linux"),
      "28e337fc81c4c7b61f227027949a4012561ecead12c67f5f473ef1b8297035f0",
    ],
    ["BLOB_A", Uint8Array.of(0, 1), "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63"],
    ["BLOB_B", BLOB_B, "a82c5154a7a0c262c6fdb929a317585646f8fbcf80326d0a7b8747edaf2d99d2"],
    ["ZEROS_1M", ZEROS_1M, "488de202f73bd976de4e7048f4e1f39a776d86d582b7348ff53bf432b987fca8"],
  ])("of %s", (_, bytes, hex) => {
    expect(B3Digest.of(bytes).toHex()).toBe(hex);
  });

  test("is the same from JavaScript and WebAssembly, whole and in pieces", async () => {
    const before = portable.hash(text("plain JavaScript, before the module is compiled"));
    await blake3Ready();
    expect(portable.hash(text("plain JavaScript, before the module is compiled"))).toEqual(before);
    for (const length of [0, 1, 63, 64, 65, 1023, 1024, 1025, 16_384, 100_001]) {
      const bytes = fixtures.pseudoRandomBytes(length, length + 1);
      const expected = noble(bytes);
      expect(portable.hash(bytes)).toEqual(expected);
      // Two at once, because they share an instance.
      const [one, other] = [portable.createHasher(), portable.createHasher()];
      const middle = length >> 1;
      one.update(bytes.subarray(0, middle));
      other.update(bytes);
      one.update(bytes.subarray(middle));
      expect(one.digest()).toEqual(expected);
      expect(other.digest()).toEqual(expected);
    }
  });
});

describe("text forms of a digest", () => {
  test("are those of tvix and of snix", () => {
    expect(EMPTY_DIGEST.toTvixString()).toBe("b3:rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=");
    expect(`${EMPTY_DIGEST}`).toBe("blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=");
  });

  test("all read back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const digest = B3Digest.from(bytes);
        for (const form of [
          digest.toHex(),
          digest.toHex().toUpperCase(),
          digest.toTvixString(),
          `${digest}`,
        ]) {
          expect(B3Digest.parse(form).bytes).toEqual(bytes);
        }
      }),
    );
  });

  test.each([
    "",
    "zz",
    "abc",
    "af13",
    "b3:",
    "blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI",
    "blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmJ=",
    " blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
    "blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=\n",
    "sha256-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
    `${"af".repeat(31)}zz`,
  ])("are read strictly: %j is refused", (form) => {
    expect(() => B3Digest.parse(form)).toThrow(expect.objectContaining({ code: "INVALID_DIGEST" }));
  });
});

describe("FastCDC", () => {
  const lengths = (bytes: Uint8Array, sizes?: ChunkSizes) =>
    [...(new ChunkCutter(new FastCdc(sizes)).cut(bytes) as Iterable<{ bytes: Uint8Array }>)].map(
      (chunk) => chunk.bytes.length,
    );

  test("has the gear table of the crate", () => {
    GEAR.forEach((word, index) => {
      const digest = createHash("md5").update(Buffer.alloc(64, index)).digest();
      expect(word).toBe(digest.readBigUInt64BE(0));
    });
  });

  test.each([
    ["BLOB_A", Uint8Array.of(0, 1), undefined, [2]],
    ["BLOB_B", BLOB_B, undefined, [524288, 520192]],
    ["ZEROS_1M", ZEROS_1M, undefined, [524288, 524288]],
    ["XOF 128 KiB", xof(1 << 17), undefined, [131072]],
    ["XOF 1 MiB", xof(1 << 20), undefined, [396266, 210366, 207141, 234803]],
    [
      "XOF 4 MiB",
      xof(4 << 20),
      undefined,
      [
        396266, 210366, 207141, 386875, 386237, 289313, 524288, 524288, 175087, 152762, 399478, 398220,
        143983,
      ],
    ],
    [
      "XOF 256 KiB in small chunks",
      xof(1 << 18),
      { min: 8192, avg: 16384, max: 32768 },
      [32768, 21899, 13672, 16874, 21540, 32768, 32768, 17500, 17771, 21043, 26871, 6670],
    ],
    ["10240 zeros", new Uint8Array(10240), { min: 64, avg: 256, max: 1024 }, Array(10).fill(1024)],
  ])("cuts %s where tvix does", (_, bytes, sizes, expected) => {
    expect(lengths(bytes, sizes)).toEqual(expected);
  });

  test("cuts a stream where it cuts the whole, however it arrives", async () => {
    const sizes = { min: 64, avg: 256, max: 1024 };
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 20_000 }),
        fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 20 }),
        async (length, steps) => {
          const bytes = fixtures.pseudoRandomBytes(length, length + 7);
          async function* pieces() {
            const shared = new Uint8Array(3000);
            let rest = bytes;
            for (const step of steps) {
              // The same memory again and again, as the contract of put allows.
              const piece = shared.subarray(0, Math.min(step, rest.length));
              piece.set(rest.subarray(0, piece.length));
              rest = rest.subarray(piece.length);
              yield piece;
            }
            if (rest.length > 0) yield rest;
          }
          const cut: { length: number; digest: string }[] = [];
          for await (const chunk of new ChunkCutter(new FastCdc(sizes)).cut(pieces())) {
            cut.push({ length: chunk.bytes.length, digest: B3Digest.of(chunk.bytes).toHex() });
            chunk.release();
          }
          let offset = 0;
          const expected = lengths(bytes, sizes).map((size) => {
            offset += size;
            return { length: size, digest: B3Digest.of(bytes.subarray(offset - size, offset)).toHex() };
          });
          expect(cut).toEqual(expected);
        },
      ),
    );
  });

  test.each([
    { min: 32, avg: 256, max: 1024 },
    { min: 64, avg: 128, max: 1024 },
    { min: 64, avg: 256, max: 1 << 25 },
    { min: 512, avg: 256, max: 1024 },
    { min: 64.5, avg: 256, max: 1024 },
  ])("refuses the sizes %j", (sizes) => {
    expect(() => new FastCdc(sizes)).toThrow(RangeError);
  });
});

describe("directories", () => {
  test.each([
    ["A", fixtures.DIRECTORY_A, 0n, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
    [
      "WITH_KEEP",
      fixtures.DIRECTORY_WITH_KEEP,
      1n,
      "8b5b5d642b646bb8ed504b0862c39413e87e57491497de7bd075953f7b83810e",
    ],
    ["B", fixtures.DIRECTORY_B, 1n, "8701f4722d8dae7f2c40fa003331b8437a3825f9e1bfd3a77998c64cc226b9cc"],
    ["C", fixtures.DIRECTORY_C, 2n, "78eb200ae0cc95d4ea954655fbcf91e285013a261310e161927f2401d2bca803"],
    ["D", fixtures.DIRECTORY_D, 3n, "99922a5c1801805287a647af73bca0ed7352a5f7f373e54992795bcc4a235213"],
    [
      "COMPLICATED",
      fixtures.DIRECTORY_COMPLICATED,
      4n,
      "3f951a15afd586fb3121ef4d13d582e811ce0e5a7f21c0497fd87490e9e2355a",
    ],
    [
      "MIXED",
      fixtures.DIRECTORY_MIXED,
      4n,
      "6b5f05f39ca3cbd06146f393946759a6ca1507981de0f93cb45749abdea12bbd",
    ],
    [
      "NONUTF8",
      fixtures.DIRECTORY_NON_UTF8,
      1n,
      "817c34c2a7f83b1134f738485d32681767db042b50dbf88a55a134c9f95c74b2",
    ],
  ])("%s has the documented size and digest", (_, directory, size, digest) => {
    expect(directory.size("documented")).toBe(size);
    expect(directory.digest().toHex()).toBe(digest);
  });

  test("by the doubled convention D and COMPLICATED have the digests of the Rust stores", () => {
    const doubled = (directory: Directory) => fixtures.directoryNode(directory, directory.size("doubled"));
    const d = fixtures.directoryOf({ a: doubled(fixtures.DIRECTORY_A), b: doubled(fixtures.DIRECTORY_B) });
    expect(d.digest().toHex()).toBe("76cd8b55b37333961c1778ba997e57df92e219926ae5a66c414b810331a77603");
    const complicated = Directory.of([
      ...fixtures.DIRECTORY_COMPLICATED.entries.filter(({ node }) => node.type !== "directory"),
      ...fixtures.directoryOf({ keep: doubled(fixtures.DIRECTORY_WITH_KEEP) }).entries,
    ]);
    expect(complicated.digest().toHex()).toBe(
      "424a7f6ce08d805d15b428062faae96299a1675d708c3a39261afe38cdd04feb",
    );
  });

  test("have the documented encodings", () => {
    const hex = (directory: Directory) => Buffer.from(directory.encode()).toString("hex");
    expect(hex(fixtures.DIRECTORY_A)).toBe("");
    expect(hex(fixtures.DIRECTORY_NON_UTF8)).toBe("1a0a0a03c5c4d61203c5c4d6");
    expect(hex(fixtures.DIRECTORY_MIXED)).toBe(
      "0a250a01641220af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f326212290a052e6b6565701220af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262122b0a0365786512205ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c180c20011a060a016c120174",
    );
  });
});

test("b3sum agrees", ({ skip }) => {
  const bytes = fixtures.pseudoRandomBytes(1_000_003, 42);
  try {
    execFileSync("b3sum", ["--version"]);
  } catch {
    skip("b3sum is not installed");
  }
  const output = execFileSync("b3sum", ["--no-names"], { input: bytes, encoding: "utf8" });
  expect(B3Digest.of(bytes).toHex()).toBe(output.trim());
});
