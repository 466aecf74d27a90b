import { decodeNixbase32, encodeNixbase32, nixbase32Length } from "@tvix/nix-compat";
import fc from "fast-check";
import { expect, test } from "vitest";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

test.each([
  ["", ""],
  ["1f", "0z"],
  ["8a12321522fd91efbd60ebb2481af88580f61600", "00bgd045z0d4icpbc2yyz4gx48ak44la"],
  [
    "b3a24de97a8fdbc835b9833169501030b8977031bcb54b3b3ac13740f846ab30",
    "0c5b8vw40dy178xlpddw65q9gf1h2186jcc3p4swinwggbllv8mk",
  ],
  [
    "d86b3392c1202e8ff5a423b302e6284db7f8f435ea9f39b5b1b20fd3ac36dfcb",
    "1jyz6snd63xjn6skk7za6psgidsd53k05cr3lksqybi0q6936syq",
  ],
  [
    "13a8cf7ca57f68a9f1752acee36a72a55187d3a954443c112818926f26109d91",
    "14cx20k6z4hq508kqi2lm79qfld5f9mf7kiafpqsjs3zlmycza0k",
  ],
  ["00".repeat(20), "0".repeat(32)],
  ["ff".repeat(20), "z".repeat(32)],
  ["00".repeat(32), "0".repeat(52)],
  ["ff".repeat(32), `1${"z".repeat(51)}`],
  ["d41d8cd98f00b204e9800998ecf8427e", "3y8bwfr609h3lh9ch0izcqq7fl"],
  ["da39a3ee5e6b4b0d3255bfef95601890afd80709", "143xibwh31h9bvxzalr0sjvbbvpa6ffs"],
  [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
  ],
])("%s is %j", (bytes, text) => {
  expect(encodeNixbase32(hex(bytes))).toBe(text);
  expect(decodeNixbase32(text)).toEqual(hex(bytes));
});

test.each([
  ["zz", /unused bits/],
  ["c0", /unused bits/],
  ["0", /1 digits/],
  ["0zz", /3 digits/],
  ["0t", /character 1/],
  ["0Z", /character 1/],
  ["0é", /character 1/],
])("%j is refused", (text, message) => {
  expect(() => decodeNixbase32(text)).toThrow(message);
});

test("every byte string has one text of the stated length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      const text = encodeNixbase32(bytes);
      expect(text).toHaveLength(nixbase32Length(bytes.length));
      expect(decodeNixbase32(text)).toEqual(bytes);
    }),
  );
});

test("every text that decodes is the one that is written", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."0123456789abcdfghijklmnpqrsvwxyz"), maxLength: 60 }),
      (text) => {
        let bytes: Uint8Array;
        try {
          bytes = decodeNixbase32(text);
        } catch {
          return;
        }
        expect(encodeNixbase32(bytes)).toBe(text);
      },
    ),
  );
});
