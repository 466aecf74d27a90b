import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { parseNarInfo, SecretKey } from "@tvix/narinfo";
import { buildContentAddressedPath, encodeNixbase32, NixHash, StorePath } from "@tvix/nix-compat";
import { ReferencesPathInfoService, TrustingPathInfoService } from "@tvix/store";
import { describe, expect, test } from "vitest";
import { type CacheOptions, startCache } from "./running-cache.ts";
import {
  narInfoOf,
  narInfoUrl,
  pathOf,
  put,
  type Sample,
  sample,
  sha256,
  smallSample,
  treeEntries,
  upload,
} from "./samples.ts";

const tool = (command: string, args: readonly string[]) => (input: Uint8Array) =>
  execFileSync(command, args, { input, maxBuffer: 1 << 30 });

/** How each file is compressed, its suffix being what Nix gives it. */
const COMPRESSED: readonly [suffix: string, compress: (nar: Uint8Array) => Uint8Array][] = [
  [".nar.xz", tool("xz", ["-c"])],
  [".nar.bz2", tool("bzip2", ["-c"])],
  [".nar.gz", gzipSync],
  // As Nix names files that it has compressed with gzip.
  [".nar", gzipSync],
  [".nar.zst", zstdCompressSync],
  // At its highest quality, the usual one, it takes seconds.
  [".nar.br", (nar) => brotliCompressSync(nar, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } })],
  [".nar.lzma", tool("xz", ["-c", "--format=lzma"])],
  // As Nix names files that it has compressed with lzma.
  [".nar", tool("xz", ["-c", "--format=lzma"])],
];

/** What decodes each, as the name of a file says. */
const DECODERS: Readonly<Record<string, (file: Uint8Array) => Uint8Array>> = {
  ".nar.xz": tool("xz", ["-dc", "--format=xz"]),
  ".nar.gz": gunzipSync,
  ".nar.zst": tool("zstd", ["-dc"]),
  ".nar.br": brotliDecompressSync,
  ".nar.lzma": tool("xz", ["-dc", "--format=lzma"]),
};

/** Several streams, or frames, one after the other. */
const manyParts = (compress: (bytes: Uint8Array) => Uint8Array) => (nar: Uint8Array) =>
  Buffer.concat([nar.subarray(0, 1000), nar.subarray(1000, 300_000), nar.subarray(300_000)].map(compress));

async function fileUrl(url: string, file: Uint8Array, suffix: string): Promise<string> {
  return `${url}/nar/${encodeNixbase32(sha256(file).digest)}${suffix}`;
}

describe("uploads of every compression", () => {
  test.each([
    ...COMPRESSED,
    [".nar.zst", manyParts(zstdCompressSync)] as const,
    [".nar.bz2", manyParts(tool("bzip2", ["-c"]))] as const,
    [".nar.gz", manyParts(gzipSync)] as const,
    [".nar.xz", manyParts(tool("xz", ["-c"]))] as const,
  ])("%s", async (suffix, compress) => {
    const cache = await startCache();
    const one = await sample(treeEntries(1));
    const file = compress(one.nar);
    const url = await fileUrl(cache.url, file, suffix);
    expect((await fetch(url, { method: "HEAD" })).status).toBe(404);
    expect(await put(url, file as BodyInit)).toEqual([200, ""]);
    expect(await cache.narIndex.get(one.hash)).toBeDefined();
    expect(await put(narInfoUrl(cache.url, one), narInfoOf(one))).toEqual([200, ""]);
    // Under its name comes what the name says, or nothing.
    const back = await fetch(url);
    const decode = DECODERS[suffix];
    if (suffix === ".nar.bz2") expect(back.status).toBe(404);
    else if (decode !== undefined) {
      const bytes = new Uint8Array(await back.arrayBuffer());
      expect(Buffer.from(decode(bytes)).equals(one.nar)).toBe(true);
    }
    const nar = await fetch(`${cache.url}/nar/${one.digits}.nar`);
    expect(Buffer.from(await nar.arrayBuffer()).equals(one.nar)).toBe(true);
  });

  test.each(COMPRESSED)(
    "%s that is damaged in the middle, cut off, or another file",
    async (suffix, compress) => {
      const cache = await startCache();
      const one = await sample(treeEntries(1));
      const file = Buffer.from(compress(one.nar));
      const damaged = Buffer.from(file);
      damaged.fill(0xff, file.length >> 1, (file.length >> 1) + 50);
      const cut = file.subarray(0, file.length - 200);
      const url = await fileUrl(cache.url, file, suffix);
      for (const body of [damaged, cut, Buffer.from("nothing of that kind"), Buffer.alloc(0)]) {
        const [status, answer] = await put(url, body);
        expect(status, answer).toBe(400);
        expect(answer).not.toBe("");
        // What is damaged may be another NAR; the others are none, whatever their hash.
        if (body === damaged) continue;
        expect((await put(await fileUrl(cache.url, body, suffix), body))[0]).toBe(400);
      }
      expect((await put(narInfoUrl(cache.url, one), narInfoOf(one)))[0]).toBe(202);
      expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
      expect(await cache.narIndex.get(one.hash)).toBeUndefined();
    },
  );

  test("compressed by Content-Encoding, NAR and narinfo", async () => {
    const cache = await startCache();
    const one = await sample(treeEntries(1));
    const [nar, info] = [zstdCompressSync(one.nar), gzipSync(narInfoOf(one))];
    expect(await put(`${cache.url}/nar/${one.digits}.nar`, nar, { "content-encoding": "zstd" })).toEqual([
      200,
      "",
    ]);
    expect(await put(narInfoUrl(cache.url, one), info, { "content-encoding": "gzip" })).toEqual([200, ""]);
    const [status, answer] = await put(`${cache.url}/nar/${one.digits}.nar`, nar, {
      "content-encoding": "lzw",
    });
    expect([status, answer]).toEqual([400, expect.stringContaining("lzw")]);
  });
});

describe("what does not fit", () => {
  let one: Sample;
  const prepared = async (options: CacheOptions = {}) => {
    const cache = await startCache(options);
    one = await smallSample("contents");
    await put(`${cache.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
    return cache;
  };

  test("a NAR of another hash", async () => {
    const cache = await prepared();
    const other = await smallSample("others");
    const [status, answer] = await put(`${cache.url}/nar/${one.digits}.nar`, other.nar as BodyInit);
    expect([status, answer]).toEqual([400, expect.stringContaining("hash")]);
    expect(await cache.narIndex.get(other.hash)).toBeUndefined();
    expect((await put(`${cache.url}/nar/${"0".repeat(52)}.nar`, one.nar as BodyInit))[0]).toBe(400);
  });

  test.each([
    "nothing",
    `${"0".repeat(52)}.nar.rar`,
    `${"0".repeat(52)}.nar.lz4`,
    `${"e".repeat(52)}.nar`,
    "a/b.nar",
  ])("nar/%s is no name of a NAR: 400, never 401", async (name) => {
    const cache = await prepared();
    const [status, answer] = await put(`${cache.url}/nar/${name}`, one.nar as BodyInit);
    expect([status, answer]).toEqual([400, expect.stringContaining("does not name a NAR")]);
  });

  test.each<[string, (info: string) => string, string]>([
    ["no narinfo", () => "hello", "invalid line"],
    ["nothing", () => "", "missing field"],
    ["another NarSize", (info) => info.replace(/NarSize: \d+/, "NarSize: 8"), "NarSize"],
    ["another path", (info) => info.replace(/store\/./, "store/z"), "belongs elsewhere"],
    ["another store", (info) => info.replace("/nix/store", "/gnu/store"), "StorePath"],
  ])("a narinfo: %s", async (_what, change, expected) => {
    const cache = await prepared();
    const [status, answer] = await put(narInfoUrl(cache.url, one), change(narInfoOf(one)));
    expect([status, answer]).toEqual([400, expect.stringContaining(expected)]);
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
  });

  test("references that are not here, where they are checked", async () => {
    const cache = await prepared({ guard: (service) => new ReferencesPathInfoService(service) });
    const missing = StorePath.from(new Uint8Array(20), "missing");
    const info = narInfoOf(one, { references: [missing, pathOf(one)] });
    const [status, answer] = await put(narInfoUrl(cache.url, one), info);
    expect([status, answer]).toEqual([400, expect.stringContaining(missing.toString())]);
    expect(await put(narInfoUrl(cache.url, one), narInfoOf(one, { references: [pathOf(one)] }))).toEqual([
      200,
      "",
    ]);
  });

  test("a content address that is not that of the path, or of the contents", async () => {
    const cache = await prepared();
    const flat = { method: "flat", hash: sha256(new TextEncoder().encode("contents")) } as const;
    const wrong = { method: "flat", hash: sha256(new TextEncoder().encode("others")) } as const;
    const send = async (contentAddress: typeof flat | typeof wrong, storePath: StorePath) =>
      await put(
        `${cache.url}/${storePath.digestText()}.narinfo`,
        narInfoOf(one, { storePath, contentAddress }),
      );
    const right = buildContentAddressedPath("sample", flat);
    expect(await send(flat, pathOf(one))).toEqual([400, expect.stringContaining("CA")]);
    expect(await send(wrong, right)).toEqual([400, expect.stringContaining("CA")]);
    expect(await send(wrong, buildContentAddressedPath("sample", wrong))).toEqual([
      400,
      expect.stringContaining("CA"),
    ]);
    expect(await send(flat, right)).toEqual([200, ""]);
    const sha1 = {
      method: "nar",
      hash: NixHash.from("sha1", new Uint8Array(createHash("sha1").update(one.nar).digest())),
    } as const;
    const storePath = buildContentAddressedPath("sample", sha1);
    expect(
      await put(
        `${cache.url}/${storePath.digestText()}.narinfo`,
        narInfoOf(one, { storePath, contentAddress: sha1 }),
      ),
    ).toEqual([200, ""]);
  });
});

describe("trust", () => {
  const [trusted, other] = [SecretKey.generate("trusted-1"), SecretKey.generate("other-1")];
  const guard: CacheOptions["guard"] = (service, services) =>
    new TrustingPathInfoService(service, [trusted.publicKey], services);

  test("unsigned paths are refused where a signature is required, with the keys that were tried", async () => {
    const cache = await startCache({ guard });
    const one = await smallSample("contents");
    await put(`${cache.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
    const send = (info: string) => put(narInfoUrl(cache.url, one), info);
    for (const info of [narInfoOf(one), narInfoOf(one, {}, other)]) {
      const [status, answer] = await send(info);
      expect([status, answer]).toEqual([403, expect.stringContaining("keys tried: trusted-1")]);
    }
    const [, answer] = await send(narInfoOf(one, {}, other));
    expect(answer).toContain("signed by: other-1");
    // A signature over something else.
    const moved = narInfoOf(one, { references: [pathOf(one)] }, trusted).replace(
      /References: .*/,
      "References: ",
    );
    expect((await send(moved))[0]).toBe(403);
    expect(await send(narInfoOf(one, {}, trusted))).toEqual([200, ""]);
  });

  test("a path that is named by its contents needs no signature", async () => {
    const cache = await startCache({ guard });
    const one = await smallSample("contents");
    await put(`${cache.url}/nar/${one.digits}.nar`, one.nar as BodyInit);
    const contentAddress = { method: "nar", hash: one.hash } as const;
    const storePath = buildContentAddressedPath("sample", contentAddress);
    const info = narInfoOf(one, { storePath, contentAddress });
    expect(await put(`${cache.url}/${storePath.digestText()}.narinfo`, info)).toEqual([200, ""]);
  });

  test("signatures of several uploads of one path add up", async () => {
    const cache = await startCache();
    const one = await smallSample("contents");
    await upload(cache.url, one, trusted);
    await upload(cache.url, one, other);
    const info = parseNarInfo(await (await fetch(narInfoUrl(cache.url, one))).text());
    expect(info.signatures.map(({ name }) => name).sort()).toEqual(["other-1", "trusted-1"]);
  });

  test("nothing is taken by a cache that is only read", async () => {
    const cache = await startCache({ writable: false });
    const one = await smallSample("contents");
    for (const path of [
      `nar/${one.digits}.nar`,
      `${pathOf(one).digestText()}.narinfo`,
      `log/${pathOf(one, "x.drv")}`,
    ]) {
      expect(await put(`${cache.url}/${path}`, "x")).toEqual([403, "this cache takes no uploads\n"]);
    }
  });
});

describe("side files", () => {
  const digits = "0".repeat(32);
  test.each([
    [`log/${digits}-name-1.0.drv`, "text/plain; charset=utf-8"],
    [`log/${digits}-${"n".repeat(200)}.drv`, "text/plain"],
    [`realisations/sha256:${"a".repeat(64)}!out.doi`, "application/json"],
    [`build-trace-v2/${digits}-name.drv/out.doi`, "application/json"],
    ["debuginfo/0123456789abcdef0123456789abcdef01234567", "application/json"],
    [`${digits}.ls`, "application/json"],
  ])("%s is given back as it came, whatever was there before", async (path, type) => {
    const cache = await startCache();
    const url = `${cache.url}/${path}`;
    expect((await fetch(url)).status).toBe(404);
    expect(await put(url, "first", { "content-type": type })).toEqual([200, ""]);
    expect(await put(url, gzipSync("second"), { "content-type": type, "content-encoding": "gzip" })).toEqual([
      200,
      "",
    ]);
    const response = await fetch(url);
    expect(await response.text()).toBe("second");
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "6"]);
  });

  test.each([
    "log/x",
    "log/..%2f..%2fx",
    "realisations/x.doi",
    "build-trace-v2/a/b",
    "debuginfo/xyz",
    "log/",
  ])("%s is no name of one", async (path) => {
    const cache = await startCache();
    expect((await put(`${cache.url}/${path}`, "x"))[0]).toBe(404);
    expect((await fetch(`${cache.url}/${path}`)).status).toBe(404);
  });
});
