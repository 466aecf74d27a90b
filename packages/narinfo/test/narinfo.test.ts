import { compressionOf, extraFieldsOf, formatNarInfo, parseNarInfo, withExtraFields } from "@tvix/narinfo";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CFG_IF, CURL, HYPHENEX, line, NET_TOOLS, replaced, SAMPLES, without } from "./samples.ts";

const references = (text: string) => parseNarInfo(text).references.map(String);
const base64Of = (digest: Uint8Array) => `sha256:${Buffer.from(digest).toString("base64")}`;

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
  expect(parseNarInfo(replaced(CURL, "NarSize", "+196040")).narSize).toBe(196_040);
});

/** A signature of a kind that is not known: of a longer key. */
const OTHER_SIGNATURE = `future-1:${Buffer.alloc(3309, 1).toString("base64")}`;

describe("what Nix takes is taken, means what it means there, and is written as it came", () => {
  test.each<[what: string, change: (text: string) => string]>([
    [
      "spaces between references",
      (text) => replaced(text, "References", `  ${references(text).join("   ")} `),
    ],
    ["an empty Compression: bzip2", (text) => replaced(text, "Compression", "")],
    ["NarHash as SRI", (text) => replaced(text, "NarHash", parseNarInfo(NET_TOOLS).narHash.toSri())],
    [
      "NarHash in base64",
      (text) => replaced(text, "NarHash", base64Of(parseNarInfo(NET_TOOLS).narHash.digest)),
    ],
    [
      "NarHash in upper-case hex",
      (text) => replaced(text, "NarHash", `sha256:${parseNarInfo(NET_TOOLS).narHash.toHex().toUpperCase()}`),
    ],
    ["FileHash by MD5", (text) => replaced(text, "FileHash", "md5:d41d8cd98f00b204e9800998ecf8427e")],
    [
      "FileHash as SRI",
      (text) => replaced(text, "FileHash", `sha512-${Buffer.alloc(64).toString("base64")}`),
    ],
    ["an empty System", (text) => text.replace("Sig: cache", "System: \nSig: cache")],
    ["a deriver that is no derivation", (text) => replaced(text, "Deriver", references(text)[0] as string)],
    ["a plus sign before NarSize", (text) => replaced(text, "NarSize", "+464152")],
  ])("%s", (_, change) => {
    const text = change(NET_TOOLS);
    const { quirks: __, ...info } = parseNarInfo(text);
    expect(formatNarInfo(parseNarInfo(text))).toBe(text);
    const { quirks: ___, ...usual } = parseNarInfo(NET_TOOLS);
    const differs = [usual, info].map(({ compression, fileHash, deriver, ...rest }) => rest);
    expect(differs[1]).toEqual(differs[0]);
  });

  test.each([
    ["hex", "fixed:r:sha1:5cba3c77236ae4f9650270a27fbad375551fa60a"],
    [
      "base64",
      `fixed:r:sha1:${Buffer.from("5cba3c77236ae4f9650270a27fbad375551fa60a", "hex").toString("base64")}`,
    ],
    ["nothing", ""],
    ["a git tree", "fixed:git:sha1:5cba3c77236ae4f9650270a27fbad375551fa60a"],
  ])("a CA of %s", (form, address) => {
    const text = replaced(HYPHENEX, "CA", address);
    const found = parseNarInfo(text).contentAddress;
    const isKnown = form === "hex" || form === "base64";
    expect(found?.hash.toHex()).toBe(isKnown ? "5cba3c77236ae4f9650270a27fbad375551fa60a" : undefined);
    expect(formatNarInfo(parseNarInfo(text))).toBe(text);
  });

  test("an odd signature beside good ones, which is trusted by nobody", () => {
    for (const odd of [OTHER_SIGNATURE, "k:AAAAAAAAAAAAAAAAAAAA", "nothing of the kind", ""]) {
      const text = `${NET_TOOLS}Sig: ${odd}\n`;
      const info = parseNarInfo(text);
      expect(info.signatures.map(({ name }) => name)).toEqual(["cache.nixos.org-1", "hydra.other.net-1"]);
      expect(formatNarInfo(info)).toBe(text);
    }
  });

  test.each(["StorePath", "URL", "Compression", "FileHash", "NarHash", "NarSize", "References", "Deriver"])(
    "%s twice",
    (field) => {
      expect(parseNarInfo(`${NET_TOOLS}${line(NET_TOOLS, field)}\n`)).toEqual(parseNarInfo(NET_TOOLS));
    },
  );

  test("References and CA behind such as say nothing", () => {
    const known = line(NET_TOOLS, "References");
    const text = NET_TOOLS.replace(`${known}\n`, `References: \n${known}\n`);
    expect(parseNarInfo(text).references).toEqual(parseNarInfo(NET_TOOLS).references);
    const address = line(HYPHENEX, "CA");
    const addressed = HYPHENEX.replace(`${address}\n`, `CA: \n${address}\n`);
    expect(parseNarInfo(addressed).contentAddress).toEqual(parseNarInfo(HYPHENEX).contentAddress);
  });

  test("a FileHash of a kind that only the newest Nix has", () => {
    const text = replaced(NET_TOOLS, "FileHash", `blake3-${"A".repeat(43)}=`);
    const info = parseNarInfo(text);
    expect(info.fileHash).toBeUndefined();
    expect(formatNarInfo(info)).toBe(text);
  });

  test("of two values of a field the last", () => {
    expect(parseNarInfo(`${NET_TOOLS}URL: nar/other.nar\n`).url).toBe("nar/other.nar");
  });

  test("a signature that comes twice is one", () => {
    const repeated = `${NET_TOOLS}${line(NET_TOOLS, "Sig")}\n`;
    expect(formatNarInfo(parseNarInfo(repeated))).toBe(NET_TOOLS);
  });
});

test("a text is written anew when its value has changed since it was read", () => {
  const info = parseNarInfo(replaced(NET_TOOLS, "NarHash", parseNarInfo(NET_TOOLS).narHash.toSri()));
  const { narHash } = parseNarInfo(CURL);
  expect(line(formatNarInfo({ ...info, narHash }), "NarHash")).toBe(`NarHash: ${narHash}`);
});

test("carriage returns at the end of a line are no part of its value, however many", () => {
  const info = parseNarInfo(replaced(NET_TOOLS, "URL", "nar/a\r\r\r"));
  expect(info.url).toBe("nar/a");
  expect(parseNarInfo(formatNarInfo(info))).toEqual(info);
});

test("what a PathInfo has no place for is told apart, and put back", () => {
  const text = `${replaced(NET_TOOLS, "Deriver", "unknown-deriver").replace("Sig: cache", "System: x86_64-linux\nSig: cache")}Sig: ${OTHER_SIGNATURE}\nWeather: fine: today\n`;
  // Signatures of unknown kinds stand behind the others.
  const info = parseNarInfo(text);
  const { quirks: _, system: __, ...bare } = info;
  const fields = extraFieldsOf(info);
  expect(fields.map(([key]) => key)).toEqual(["Deriver", "System", "Sig", "Weather"]);
  expect(formatNarInfo(withExtraFields({ ...bare, system: undefined }, fields))).toBe(formatNarInfo(info));
});

describe("a narinfo is refused", () => {
  test("with two different References, or CAs", () => {
    expect(() => parseNarInfo(`${NET_TOOLS}References: ${references(CURL)[0]}\n`)).toThrow(
      "duplicate field: References",
    );
    expect(() => parseNarInfo(`${HYPHENEX}CA: fixed:r:sha1:${"0".repeat(32)}\n`)).toThrow(
      "duplicate field: CA",
    );
  });

  test.each(["StorePath", "URL", "NarHash", "NarSize"])("without %s", (field) => {
    expect(() => parseNarInfo(without(NET_TOOLS, field))).toThrow(`missing field: ${field}`);
  });

  test("with an empty URL", () => {
    expect(() => parseNarInfo(replaced(NET_TOOLS, "URL", ""))).toThrow("field URL may not be empty string");
  });

  test.each([
    ["StorePath", "00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools", /invalid StorePath/],
    ["StorePath", "/gnu/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools", /invalid StorePath/],
    ["NarHash", "0lxjvvpr59c2mdram7ympy5ay741f180kv3349hvfc3f8nrmbqf6", /unable to decode NarHash/],
    ["NarHash", "md5:3y8bwfr609h3lh9ch0izcqq7fl", /it is not sha256/],
    ["NarHash", "sha1-XLo8dyNq5PllAnCif7rTdVUfpgo=", /it is not sha256/],
    ["NarHash", "sha256:0lxjvvpr59c2mdram7ympy5ay741f180kv3349hvfc3f8nrmbqf", /unable to decode NarHash/],
    ["NarSize", "-1", /invalid NarSize/],
    ["NarSize", " 1", /invalid NarSize/],
    ["NarSize", "1e3", /invalid NarSize/],
    ["NarSize", "", /invalid NarSize/],
    ["NarSize", "0", /no NAR is empty/],
    ["NarSize", "18446744073709551616", /invalid NarSize/],
    ["FileSize", "0x10", /invalid FileSize/],
    [
      "References",
      "7gx4kiv5m0i7d7qkixq2cwzbr10lvxwc-glibc-2.27\t7gx4kiv5m0i7d7qkixq2cwzbr10lvxwc-glibc-2.27",
      /#0 reference/,
    ],
    ["StorePath", "/nix/store//00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools", /invalid StorePath/],
    ["References", "/nix/store/7gx4kiv5m0i7d7qkixq2cwzbr10lvxwc-glibc-2.27", /#0 reference/],
    ["Deriver", "unknown", /invalid Deriver/],
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
