import { compressionOf, formatNarInfo, parseNarInfo } from "@tvix/narinfo";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CFG_IF, CURL, HYPHENEX, NET_TOOLS, replaced, SAMPLES, without } from "./samples.ts";

test.each(SAMPLES)("the same text is written again: %s", (_, text) => {
  expect(formatNarInfo(parseNarInfo(text))).toBe(text);
});

test("every field is read", () => {
  const info = parseNarInfo(CURL);
  expect(info.storePath.toAbsolute()).toBe("/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin");
  expect(info.url).toBe("nar/05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56.nar.xz");
  expect(info.compression).toBe("xz");
  expect(String(info.fileHash)).toBe("sha256:05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56");
  expect(info.fileSize).toBe(68_852);
  expect(String(info.narHash)).toBe("sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0");
  expect(info.narSize).toBe(196_040);
  expect(info.references.map(({ name }) => name)).toEqual([
    "curl-7.82.0",
    "glibc-2.34-115",
    "zlib-1.2.12",
    "openssl-1.1.1n",
  ]);
  expect(info.deriver?.name).toBe("curl-7.82.0.drv");
  expect(info.signatures.map(({ name }) => name)).toEqual(["cache.nixos.org-1", "test1"]);
  expect(info.contentAddress).toBeUndefined();
});

test("peculiarities are read as what they mean", () => {
  expect(parseNarInfo(CFG_IF).references).toEqual([]);
  expect(parseNarInfo(replaced(NET_TOOLS, "Deriver", "unknown-deriver")).deriver).toBeUndefined();
  expect(compressionOf(parseNarInfo(without(NET_TOOLS, "Compression")))).toBe("bzip2");
  const address = parseNarInfo(HYPHENEX).contentAddress;
  expect(address?.method).toBe("nar");
  expect(address?.hash.toHex()).toBe("5cba3c77236ae4f9650270a27fbad375551fa60a");
});

test("any order of fields, carriage returns and a missing end of the last line are fine", () => {
  const shuffled = CURL.trimEnd().split("\n").reverse().join("\r\n");
  const expected = parseNarInfo(CURL);
  expect(parseNarInfo(shuffled)).toEqual({ ...expected, signatures: [...expected.signatures].reverse() });
  expect(parseNarInfo(replaced(CURL, "NarSize", "+196040"))).toEqual(expected);
});

const fields = [
  "StorePath",
  "URL",
  "Compression",
  "FileHash",
  "FileSize",
  "NarHash",
  "NarSize",
  "References",
  "Deriver",
];

describe("a narinfo is refused", () => {
  test.each([...fields, "CA"])("with %s twice", (field) => {
    const text = field === "CA" ? HYPHENEX : NET_TOOLS;
    const repeated = text.split("\n").find((line) => line.startsWith(`${field}: `));
    expect(() => parseNarInfo(`${text}${repeated}\n`)).toThrow(`duplicate field: ${field}`);
  });

  test.each(["StorePath", "URL", "NarHash", "NarSize"])("without %s", (field) => {
    expect(() => parseNarInfo(without(NET_TOOLS, field))).toThrow(`missing field: ${field}`);
  });

  test.each(["URL", "Compression", "System"])("with an empty %s", (field) => {
    expect(() =>
      parseNarInfo(`${without(NET_TOOLS.replace("Sig", "System: x\nSig"), field)}${field}: \n`),
    ).toThrow(`field ${field} may not be empty string`);
  });

  test.each([
    ["StorePath", "00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools", /invalid StorePath/],
    ["StorePath", "/gnu/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools", /invalid StorePath/],
    ["NarHash", "0lxjvvpr59c2mdram7ympy5ay741f180kv3349hvfc3f8nrmbqf6", /missing prefix for NarHash/],
    ["NarHash", "md5:3y8bwfr609h3lh9ch0izcqq7fl", /missing prefix for NarHash/],
    ["NarHash", "sha256:0lxjvvpr59c2mdram7ympy5ay741f180kv3349hvfc3f8nrmbqf", /unable to decode NarHash/],
    ["NarHash", `sha256:${"AB".repeat(32)}`, /unable to decode NarHash/],
    ["NarSize", "-1", /invalid NarSize/],
    ["NarSize", " 1", /invalid NarSize/],
    ["NarSize", "1e3", /invalid NarSize/],
    ["NarSize", "", /invalid NarSize/],
    ["NarSize", "0", /no NAR is empty/],
    ["NarSize", "18446744073709551616", /invalid NarSize/],
    ["FileSize", "0x10", /invalid FileSize/],
    [
      "References",
      "7gx4kiv5m0i7d7qkixq2cwzbr10lvxwc-glibc-2.27  7gx4kiv5m0i7d7qkixq2cwzbr10lvxwc-glibc-2.27",
      /#1 reference/,
    ],
    ["References", "/nix/store/7gx4kiv5m0i7d7qkixq2cwzbr10lvxwc-glibc-2.27", /#0 reference/],
    ["Deriver", "10dx1q4ivjb115y3h90mipaaz533nr0d-net-tools", /must end with .drv/],
    ["Deriver", "unknown", /invalid Deriver/],
    ["Sig", "cache.nixos.org-1", /signature #0/],
  ])("with %s: %s", (field, value, message) => {
    expect(() => parseNarInfo(replaced(NET_TOOLS, field, value))).toThrow(message);
  });

  test.each(["", "x", "x:y", "\n"])("with the line %j", (line) => {
    expect(() => parseNarInfo(`${line}\n${NET_TOOLS}`)).toThrow(/invalid line/);
  });

  test("with a content address that is none", () => {
    expect(() => parseNarInfo(replaced(HYPHENEX, "CA", "fixed:r:sha1:x"))).toThrow(
      /unable to parse CA field/,
    );
  });
});

test("any text gives a narinfo or an error of this package", () => {
  const anyText = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.nat(NET_TOOLS.length), fc.string({ maxLength: 3 }))
      .map(([at, inserted]) => NET_TOOLS.slice(0, at) + inserted + NET_TOOLS.slice(at + 1)),
  );
  fc.assert(
    fc.property(anyText, (text) => {
      try {
        parseNarInfo(text);
      } catch (error) {
        expect(error).toMatchObject({ name: "NarInfoError" });
      }
    }),
    { numRuns: 2000 },
  );
});
