import { formatContentAddress, NixHash, parseContentAddress } from "@tvix/nix-compat";
import { describe, expect, test } from "vitest";

const DIGESTS = [
  ["sha1", "6016777997c30ab02413cf5095622cd7924283ac"],
  ["sha256", "a5ce9c155ed09397614646c9717fc7cd94b1023d7b76b618d409e4fefd6e9d39"],
  [
    "sha512",
    "ab40d0be3541f0774bba7815d13d10b03252e96e95f7dbb4ee99a3b431c21662fd6971a020160e39848aa5f305b9be0f78727b2b0789e39f124d21e92b8f39ef",
  ],
  ["md5", "c4874a8897440b393d862d8fd459073f"],
] as const;

describe.each(DIGESTS)("a hash of %s", (algorithm, digest) => {
  const hash = NixHash.from(algorithm, new Uint8Array(Buffer.from(digest, "hex")));
  const base64 = Buffer.from(digest, "hex").toString("base64");

  test.each([
    ["SRI", hash.toSri()],
    ["nixbase32", hash.toString()],
    ["hex", `${algorithm}:${digest}`],
    ["base64", `${algorithm}:${base64}`],
  ])("comes back from %s", (_, text) => {
    expect(NixHash.parse(text).toHex()).toBe(digest);
    expect(NixHash.parse(text, algorithm).equals(hash)).toBe(true);
    expect(() => NixHash.parse(text, algorithm === "md5" ? "sha1" : "md5")).toThrow(/it is not/);
  });

  test("comes back without its algorithm only where that is given", () => {
    for (const bare of [digest, base64, hash.toString().slice(algorithm.length + 1)]) {
      expect(NixHash.parse(bare, algorithm).toHex()).toBe(digest);
      expect(() => NixHash.parse(bare)).toThrow(/which algorithm|no algorithm/);
    }
  });

  test("is refused when it is cut short", () => {
    expect(() => NixHash.parse(hash.toString().slice(0, -1))).toThrow(/characters/);
    expect(() => NixHash.from(algorithm, hash.digest.subarray(1))).toThrow(/bytes/);
  });
});

const LONG_SRI =
  "sha512-7g91TBvYoYQorRTqo+rYD/i5YnWvUBLnqDhPHxBJDaBW7smuPMeRp6E6JOFuVN9bzN0QnH1ToUU0u9c2CjALEQ";

test.each(["", "=", "==", "===", "== cheesecake"])("SRI forgives the suffix %j", (suffix) => {
  expect(NixHash.parse(`${LONG_SRI}${suffix}`).toHex()).toBe(
    "ee0f754c1bd8a18428ad14eaa3ead80ff8b96275af5012e7a8384f1f10490da056eec9ae3cc791a7a13a24e16e54df5bccdd109c7d53a14534bbd7360a300b11",
  );
});

test("SRI forgives missing padding, the bare form does not", () => {
  const bare = "fgIr3TyFGDAXP5+qoAaiMKDg/a1MlT6Fv/S/DaA24S8";
  expect(NixHash.parse(`sha256-${bare}`).toHex()).toBe(
    "7e022bdd3c851830173f9faaa006a230a0e0fdad4c953e85bff4bf0da036e12f",
  );
  expect(() => NixHash.parse(bare, "sha256")).toThrow(/characters/);
});

test("SRI forgives bits that mean nothing, and is written without them", () => {
  const hash = NixHash.parse("sha256-syceJMUEknBDCHK8eGs6rUU3IQn+HnQfURfCrDxYPa9=");
  expect(hash.toHex()).toBe("b3271e24c5049270430872bc786b3aad45372109fe1e741f5117c2ac3c583daf");
  expect(hash.toSri()).toMatch(/Pa8=$/);
});

test.each([
  "sha256-pc6cFV7Qk5dhRkbJcX/HzZSxAj17drYY1Ank",
  "sha384-o4UVSl89mIB0sFUK+3jQbG+C9Zc9dRlV/Xd3KAvXEbhqxu0J5OAdg6b6VHKHwQ7U",
  "sha256-invalid=base64",
  "sha256:",
  "sha256:A5CE9C155ED09397614646C9717FC7CD94B1023D7B76B618D409E4FEFD6E9DXX",
  ":0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
])("%j is no hash", (text) => {
  expect(() => NixHash.parse(text)).toThrow(/not a hash/);
});

test.each([
  ["fixed:r:sha1:1ak1ymbmsfx7z8kh09jzkr3a4dvkrfjw", "nar", "5cba3c77236ae4f9650270a27fbad375551fa60a"],
  [`fixed:r:sha256:${"0".repeat(52)}`, "nar", "00".repeat(32)],
  [`text:sha256:${"0".repeat(52)}`, "text", "00".repeat(32)],
  ["fixed:md5:3y8bwfr609h3lh9ch0izcqq7fl", "flat", "d41d8cd98f00b204e9800998ecf8427e"],
])("the content address %s comes back", (text, method, digest) => {
  const address = parseContentAddress(text);
  expect(address.method).toBe(method);
  expect(address.hash.toHex()).toBe(digest);
  expect(formatContentAddress(address)).toBe(text);
});

test.each([`fixed:r:sha256:${"00".repeat(32)}`, `fixed:r:sha256:${"A".repeat(43)}=`])(
  "the content address %s is read, as Nix does, and written in nixbase32",
  (text) => {
    expect(formatContentAddress(parseContentAddress(text))).toBe(`fixed:r:sha256:${"0".repeat(52)}`);
  },
);

test("hexadecimal digits of either case are read", () => {
  const digits = "A5CE9C155ED09397614646C9717FC7CD94B1023D7B76B618D409E4FEFD6E9D39";
  expect(NixHash.parse(`sha256:${digits}`).toHex()).toBe(digits.toLowerCase());
});

test.each([
  "",
  "nar:sha256:0",
  `text:sha1:${"0".repeat(32)}`,
  `fixed:sha384:${"0".repeat(52)}`,
  `fixed:r:sha256:${"0".repeat(51)}`,
  `fixed:r:sha256:${"0".repeat(52)}:x`,
  `fixed:r:sha256:${"00".repeat(31)}`,
])("%j is no content address", (text) => {
  expect(() => parseContentAddress(text)).toThrow(/not a content address/);
});
