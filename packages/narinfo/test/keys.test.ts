import { fingerprint, PublicKey, parseNarInfo, SecretKey, Signature } from "@tvix/narinfo";
import { describe, expect, test } from "vitest";
import { CURL } from "./samples.ts";

const CURL_FINGERPRINT =
  "1;/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin;sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0;196040;/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0,/nix/store/6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115,/nix/store/j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12,/nix/store/yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n";
const DUMMY_FINGERPRINT =
  "1;/nix/store/00000000000000000000000000000000-dummy;sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89;136;";
const NIXOS = PublicKey.parse("cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=");
const NIXOS_SIGNATURE =
  "TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==";

describe("fingerprint", () => {
  test("names path, hash, length and references", () => {
    expect(fingerprint(parseNarInfo(CURL))).toBe(CURL_FINGERPRINT);
  });

  test("ends in a semicolon without references, and keeps the order of those there are", () => {
    const info = parseNarInfo(CURL);
    expect(fingerprint({ ...info, references: [] })).toMatch(/;196040;$/);
    const reversed = fingerprint({ ...info, references: [...info.references].reverse() });
    expect(reversed).not.toBe(CURL_FINGERPRINT);
    expect(NIXOS.verify(reversed, info.signatures[0] as Signature)).toBe(false);
  });
});

/** Secret and public key, and their signatures of both fingerprints. */
const KEYS = [
  [
    "test1:jbX9NxZp8WB/coK8k7yLf0gNYmBbIbCrOFwgJgI7OV+0sASf4R5oFQlioSlN3bJ56uvshzr7S9Z75pcv+9hSkQ==",
    "test1:tLAEn+EeaBUJYqEpTd2yeerr7Ic6+0vWe+aXL/vYUpE=",
    "519iiVLx/c4Rdt5DNt6Y2Jm6hcWE9+XY69ygiWSZCNGVcmOcyL64uVAJ3cV8vaTusIZdbTnYo9Y7vDNeTmmMBQ==",
    "Zp4a+pXYTkUxDikttQGXcfjdt2XjTJpPHGyeK+o9aovC3EWRiGY6/8FnGtRAJtmj4yytK95BO94Dma793dFBCA==",
  ],
  [
    "cache.example.com-1:cCta2MEsRNuYCgWYyeRXLyfoFpKhQJKn8gLMeXWAb7vIpRKKo/3JoxJ24OYa3DxT2JVV38KjK/1ywHWuMe2JEw==",
    "cache.example.com-1:yKUSiqP9yaMSduDmGtw8U9iVVd/Coyv9csB1rjHtiRM=",
    "/hcsy64xvXyJC+CZfBquZ6pwnjJVuZ/Ik2tVJraDcLbPmJbjoptCBQ3FO1D5RQRAzjkOp/efwrMthhLoyKM/CA==",
    "vy7mNGR4CA8rovwXgLMuGnlyF+1VTUTDpKRzQXSKwomC8cGsW/Jf4M5QbCi77aaQpPwRr4l44NwtAjbSBTCODQ==",
  ],
  [
    "do.not.use:sGPzxuK5WvWPraytx+6sjtaff866sYlfvErE6x0hFEhy5eqe7OVZ8ZMqZ/ME/HaRdKGNGvJkyGKXYTaeA6lR3A==",
    "do.not.use:cuXqnuzlWfGTKmfzBPx2kXShjRryZMhil2E2ngOpUdw=",
    "QQWJqsSgGYJiKl8ldFBwS8Q+6c1hK+FXBcy/Lqjx3wid1IdKtNTdWrmImTmuwIkCg1k+E+E4HmQQVGcslRO6BQ==",
    "d/6grhFc7RIZK2FR1svFF8d3u22l2R1kU72Qs5zsqIOptthdueICLAc6sP51RPVmpiJruySSG6GHdeUeCHXuDQ==",
  ],
] as const;

describe.each(KEYS)("%s", (secretText, publicText, curl, dummy) => {
  const secret = SecretKey.parse(`\n${secretText}\n`);

  test("has its public key and its signatures", () => {
    expect(String(secret.publicKey)).toBe(publicText);
    expect(secret.export()).toBe(secretText);
    expect(String(secret.sign(CURL_FINGERPRINT))).toBe(`${secret.name}:${curl}`);
    expect(String(secret.sign(DUMMY_FINGERPRINT))).toBe(`${secret.name}:${dummy}`);
    expect(secret.publicKey.verify(DUMMY_FINGERPRINT, secret.sign(DUMMY_FINGERPRINT))).toBe(true);
    expect(secret.publicKey.verify(CURL_FINGERPRINT, secret.sign(DUMMY_FINGERPRINT))).toBe(false);
  });

  test("does not show itself", () => {
    expect(JSON.stringify(secret) + String(secret)).not.toContain(secretText.slice(-40));
  });
});

describe("a public key", () => {
  test("takes the signature of its own name over the whole text only", () => {
    const signature = Signature.parse(`cache.nixos.org-1:${NIXOS_SIGNATURE}`);
    expect(Buffer.from(signature.bytes).toString("hex")).toBe(
      "4ec4d36f75864d92a986f61d0475f0a3ac1e5482e64f2b548cb07ebdc5fcf5f3a38d189c08798a0384423cc54b923e93309e06317dc73d5591743d6191e29905",
    );
    expect(NIXOS.verify(CURL_FINGERPRINT, signature)).toBe(true);
    expect(NIXOS.verify(CURL_FINGERPRINT.slice(0, 5), signature)).toBe(false);
    expect(NIXOS.verify(CURL_FINGERPRINT, Signature.parse(`cache.nixos.org:${NIXOS_SIGNATURE}`))).toBe(false);
    const forged = `cache.nixos.org-1:TsTTb000000000000000000000000ytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==`;
    expect(NIXOS.verify(CURL_FINGERPRINT, Signature.parse(forged))).toBe(false);
  });

  test("may have any name", () => {
    const key = PublicKey.parse("cheesecake:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=");
    expect(
      key.verify(CURL_FINGERPRINT, Signature.from("cheesecake", Buffer.from(NIXOS_SIGNATURE, "base64"))),
    ).toBe(true);
  });

  test.each([
    "6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=",
    "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY",
    "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDS",
    `small-order:${"A".repeat(43)}=`,
    `no-point:${Buffer.alloc(32, 2).toString("base64")}`,
  ])("is not %s", (text) => {
    expect(() => PublicKey.parse(text)).toThrow(expect.objectContaining({ code: "INVALID_KEY" }));
  });
});

test.each([
  "cache.nixos.org-1:o1DTsjCz0PofLJ216P2RBuSulI8BAb6zHxWE4N+tzlcELk5Uk/GO2SCxWTRN5wJutLZZ+cHTMdWqOHF8",
  `test\n:${NIXOS_SIGNATURE}`,
  `test :${NIXOS_SIGNATURE}`,
  `:${NIXOS_SIGNATURE}`,
  NIXOS_SIGNATURE,
  `test:${NIXOS_SIGNATURE}=`,
  `test:${NIXOS_SIGNATURE.replace("T", "*")}`,
])("%j is no signature", (text) => {
  expect(() => Signature.parse(text)).toThrow(expect.objectContaining({ code: "INVALID_SIGNATURE" }));
});

test("a signature of 63 bytes is refused", () => {
  expect(() => Signature.from("x", new Uint8Array(63))).toThrow(/63/);
});

describe("a secret key", () => {
  test("can be made, kept and read", () => {
    const key = SecretKey.generate("cache.example.org-1");
    const again = SecretKey.parse(key.export());
    expect(key.publicKey.verify("text", again.sign("text"))).toBe(true);
    expect(SecretKey.generate("x").export()).not.toBe(SecretKey.generate("x").export());
    for (const name of ["", "a b", "a:b"]) expect(() => SecretKey.generate(name)).toThrow(/name/);
  });

  test("is refused when its halves do not belong together, without being shown", () => {
    const [a, b] = [SecretKey.generate("k").export(), SecretKey.generate("k").export()];
    const mixed = Buffer.concat([
      Buffer.from(a.slice(2), "base64").subarray(0, 32),
      Buffer.from(b.slice(2), "base64").subarray(32),
    ]).toString("base64");
    expect(() => SecretKey.parse(`k:${mixed}`)).toThrow(/does not fit/);
    for (const broken of [`k:${mixed.slice(1)}`, mixed, `k:!${mixed.slice(1)}`]) {
      expect(() => SecretKey.parse(broken)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(mixed.slice(2, 20)) }),
      );
    }
  });
});
