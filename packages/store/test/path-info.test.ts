import { create } from "@bufbuild/protobuf";
import { formatNarInfo } from "@tvix/narinfo";
import { PathInfoSchema } from "@tvix/protocol/tvix/store";
import { decodePathInfo, encodePathInfo, formatPathInfo, parsePathInfo, toNarInfo } from "@tvix/store";
import { fixtures } from "@tvix/store/testing";
import { describe, expect, test } from "vitest";
import { bytes, changed, INVALID } from "./invalid-path-infos.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("the fixtures have the encodings of tvix and snix", () => {
  expect(hex(encodePathInfo(fixtures.PATH_INFO))).toBe(
    "0a4c0a4a0a2630303030303030303030303030303030303030303030303030303030303030302d64756d6d7912200000000000000000000000000000000000000000000000000000000000000000121400000000000000000000000000000000000000001a6e12200000000000000000000000000000000000000000000000000000000000000000222630303030303030303030303030303030303030303030303030303030303030302d64756d6d79322212200000000000000000000000000000000000000000000000000000000000000000",
  );
  expect(hex(encodePathInfo(fixtures.PATH_INFO_SYMLINK))).toBe(
    "0a441a420a2630303030303030303030303030303030303030303030303030303030303030302d64756d6d7912182f6e69782f73746f72652f736f6d657768657265656c73651a250888011220097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1",
  );
});

test.each([
  ["a directory", fixtures.PATH_INFO],
  ["a link", fixtures.PATH_INFO_SYMLINK],
  ["a file, with something in every field", fixtures.fullPathInfo(1)],
])("%s comes back from its encoding", (_, info) => {
  const decoded = decodePathInfo(encodePathInfo(info));
  expect(hex(encodePathInfo(decoded))).toBe(hex(encodePathInfo(info)));
  expect(decoded.deriver?.toString()).toBe(info.deriver?.toString());
});

test("a narinfo says what is known", () => {
  const url = "nar/snix-castore/GhoSGC9uaXgvc3RvcmUvc29tZXdoZXJlZWxzZQ?narsize=136";
  expect(formatNarInfo(toNarInfo(fixtures.PATH_INFO_SYMLINK, url))).toBe(
    `StorePath: /nix/store/00000000000000000000000000000000-dummy
URL: ${url}
Compression: none
NarHash: sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89
NarSize: 136
References: 
`,
  );
  expect(formatNarInfo(toNarInfo(fixtures.fullPathInfo(1), "x"))).toMatch(/^Deriver: [^/]*-full\.drv$/m);
});

describe("a message is refused", () => {
  test.each(INVALID)("with %s", (_, message, text) => {
    expect(() => parsePathInfo(message)).toThrow(expect.objectContaining({ code: "INVALID_PATH_INFO" }));
    expect(() => parsePathInfo(message)).toThrow(text);
  });

  test("for the first thing that is wrong", () => {
    const order = INVALID.map(([, , text]) => text);
    for (let index = 2; index < INVALID.length - 1; index += 5) {
      const message = create(PathInfoSchema, INVALID[index]?.[1]);
      const later = changed(
        (_, narinfo) =>
          (narinfo.signatures = [
            { $typeName: "tvix.store.v1.NARInfo.Signature", name: "x", data: bytes(1) },
          ]),
      );
      if (message.narinfo !== undefined && index < 13)
        message.narinfo.signatures = later.narinfo?.signatures ?? [];
      expect(() => parsePathInfo(message)).toThrow(order[index] as string);
    }
  });

  test("when it is no message at all", () => {
    expect(() => decodePathInfo(Uint8Array.of(0xff))).toThrow(/not a PathInfo/);
  });
});

test("a deriver may itself end in .drv, and a signature have any name", () => {
  const message = changed((_, narinfo) => {
    if (narinfo.deriver) narinfo.deriver.name = "x.drv";
    if (narinfo.signatures[0]) narinfo.signatures[0].name = "any thing: at all";
  });
  const info = parsePathInfo(message);
  expect(info.deriver?.name).toBe("x.drv.drv");
  expect(formatPathInfo(info).narinfo?.deriver?.name).toBe("x.drv");
  expect(info.signatures[0]?.name).toBe("any thing: at all");
});
