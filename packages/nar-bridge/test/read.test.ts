import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { parseCacheInfo, parseNarInfo } from "@tvix/narinfo";
import { encodeNamelessNode } from "@tvix/store";
import { beforeEach, describe, expect, test } from "vitest";
import { type RunningCache, startCache } from "./running-cache.ts";
import { narInfoUrl, pathOf, type Sample, sample, treeEntries, upload } from "./samples.ts";

let cache: RunningCache;
let one: Sample;
let nodeText: string;

beforeEach(async () => {
  cache = await startCache();
  one = await sample(treeEntries(1));
  await upload(cache.url, one);
  const info = await cache.pathInfoService.get(pathOf(one).digest);
  if (info === undefined) throw new Error("the path info is missing");
  nodeText = Buffer.from(encodeNamelessNode(info.node)).toString("base64url");
});

async function bytesOf(path: string, headers: Record<string, string> = {}): Promise<[Response, Buffer]> {
  const response = await fetch(`${cache.url}${path}`, {
    headers: { "accept-encoding": "identity", ...headers },
  });
  return [response, Buffer.from(await response.arrayBuffer())];
}

const execute = promisify(execFile);

/** What curl, whose library Nix uses, makes of it. */
async function curl(...args: readonly string[]): Promise<Buffer> {
  const options = { encoding: "buffer", maxBuffer: 1 << 30 } as const;
  return (await execute("curl", ["-s", ...args], options)).stdout;
}

/** The zstd form, decoded by the tool that everybody has. */
function unzstd(bytes: Buffer): Buffer {
  return execFileSync("zstd", ["-dc"], { input: bytes, maxBuffer: 1 << 30 });
}

describe("narinfo", () => {
  test("offers the zstd form, whose length it knows, and nothing that is not there", async () => {
    const response = await fetch(narInfoUrl(cache.url, one));
    expect(response.headers.get("cache-control")).toBe("max-age=60, no-transform");
    expect(response.headers.get("content-type")).toBe("text/x-nix-narinfo");
    const info = parseNarInfo(await response.text());
    expect(info).toMatchObject({
      url: `nar/${one.digits}.nar.zst`,
      compression: "zstd",
      narSize: one.nar.length,
    });
    const [nar, bytes] = await bytesOf(`/${info.url}`);
    expect(nar.headers.get("content-length")).toBe(String(info.fileSize));
    expect(bytes.length).toBe(info.fileSize);
    expect(unzstd(bytes).equals(one.nar)).toBe(true);
  });

  test("HEAD answers as GET, without the text", async () => {
    const [get, head] = [
      await fetch(narInfoUrl(cache.url, one)),
      await fetch(narInfoUrl(cache.url, one), { method: "HEAD" }),
    ];
    expect(await head.text()).toBe("");
    for (const name of ["content-type", "content-length"]) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
  });

  test.each([
    "00000000000000000000000000000000.narinfo",
    "eeee.narinfo",
    "favicon.ico",
    "x.narinfo",
    "%2e%2e%2f.narinfo",
    "%00.narinfo",
  ])("%s is not here: 404, in plain text", async (path) => {
    const response = await fetch(`${cache.url}/${path}`);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  });

  test("with compression none as a setting, the NAR itself is offered", async () => {
    const plain = await startCache({ compression: "none" });
    await upload(plain.url, one);
    const info = parseNarInfo(await (await fetch(narInfoUrl(plain.url, one))).text());
    expect(info).toMatchObject({
      url: `nar/${one.digits}.nar`,
      compression: "none",
      fileSize: one.nar.length,
    });
  });

  test("what the cache says of itself", async () => {
    const [response, bytes] = await bytesOf("/nix-cache-info");
    expect(response.headers.get("content-type")).toBe("text/x-nix-cache-info");
    expect(parseCacheInfo(bytes.toString())).toEqual({
      storeDir: "/nix/store",
      wantMassQuery: true,
      priority: 39,
      getNarInfosV1: "/get-narinfos-v1",
    });
  });
});

describe("NAR", () => {
  const hex = () => Buffer.from(one.hash.digest).toString("hex");

  test("is found by its hash in both spellings, behind the digest of a path too, and by its node", async () => {
    const paths = [
      `/nar/${one.digits}.nar`,
      `/nar/${hex()}.nar`,
      `/nar/${pathOf(one).digestText()}-${one.digits}.nar`,
      `/nar/tvix-castore/${nodeText}?narsize=${one.nar.length}`,
      `/nar/snix-castore/${nodeText}?narsize=${one.nar.length}`,
    ];
    for (const path of paths) {
      const [response, bytes] = await bytesOf(path);
      expect(response.status, path).toBe(200);
      expect(response.headers.get("content-length")).toBe(String(one.nar.length));
      expect(response.headers.get("content-type")).toBe("application/x-nix-nar");
      expect(response.headers.get("cache-control")).toMatch(
        /immutable.*no-transform|no-transform.*immutable/,
      );
      expect(bytes.equals(one.nar), path).toBe(true);
    }
  });

  test.each([
    ["/nar/tvix-castore/", 404],
    ["/nar/tvix-castore/!!!?narsize=1", 404],
    ["/nar/tvix-castore/AAAA?narsize=1", 404],
    [`/nar/tvix-castore/${Buffer.alloc(5000).toString("base64url")}?narsize=1`, 404],
    ["/nar/nothing.nar", 404],
    [`/nar/${"0".repeat(52)}.nar`, 404],
    [`/nar/${"0".repeat(52)}.nar.rar`, 404],
    ["/nar/..%2f..%2fetc%2fpasswd", 404],
  ])("%s is %i", async (path, status) => {
    const [response, bytes] = await bytesOf(path);
    expect(response.status).toBe(status);
    expect(bytes.toString()).not.toMatch(/node_modules|\.js|\/tmp/);
  });

  test("a node needs its narsize, and the right one", async () => {
    for (const query of ["", "?narsize=", "?narsize=x", "?narsize=-1", `?narsize=${one.nar.length + 8}`]) {
      const [response] = await bytesOf(`/nar/tvix-castore/${nodeText}${query}`);
      expect(response.status, query).toBe(400);
    }
  });

  test("HEAD answers as GET, in every form", async () => {
    for (const path of [`/nar/${one.digits}.nar`, `/nar/${one.digits}.nar.zst`]) {
      const [get] = await bytesOf(path);
      const head = await fetch(`${cache.url}${path}`, {
        method: "HEAD",
        headers: { "accept-encoding": "identity" },
      });
      for (const name of ["content-type", "content-length", "etag", "cache-control", "accept-ranges"]) {
        expect(head.headers.get(name), name).toBe(get.headers.get(name));
      }
      expect(head.headers.get("etag")).not.toBeNull();
    }
  });

  test("for clients that take zstd as a coding, it is what is stored", async () => {
    const response = await fetch(`${cache.url}/nar/${one.digits}.nar`, {
      headers: { "accept-encoding": "gzip, zstd" },
    });
    expect(response.headers.get("content-encoding")).toBe("zstd");
    expect(response.headers.get("vary")).toBe("accept-encoding");
    expect(Number(response.headers.get("content-length"))).toBeLessThan(one.nar.length);
    const path = `${cache.url}/nar/${one.digits}.nar`;
    const coded = await curl("-H", "accept-encoding: zstd", path);
    expect(unzstd(coded).equals(one.nar)).toBe(true);
    expect((await curl("--compressed", path)).equals(one.nar)).toBe(true);
    const [refused] = await bytesOf(`/nar/${one.digits}.nar`, { "accept-encoding": "zstd;q=0" });
    expect(refused.headers.get("content-encoding")).toBeNull();
  });

  test("is not sent again to a client that has it", async () => {
    const [first] = await bytesOf(`/nar/${one.digits}.nar.zst`);
    const [again, bytes] = await bytesOf(`/nar/${one.digits}.nar.zst`, {
      "if-none-match": first.headers.get("etag") as string,
    });
    expect([again.status, bytes.length]).toEqual([304, 0]);
  });
});

describe.each(["", ".zst"])("ranges of a NAR%s", (suffix) => {
  const path = () => `/nar/${one.digits}.nar${suffix}`;

  test("each is the slice of the whole", async () => {
    const [response, whole] = await bytesOf(path());
    const etag = response.headers.get("etag") as string;
    const end = whole.length;
    const cases: [string, number, number][] = [
      ["0-0", 0, 1],
      ["0-99", 0, 100],
      ["100-", 100, end],
      [`${end - 1}-`, end - 1, end],
      ["-1", end - 1, end],
      ["-1000", end - 1000, end],
      [`-${end + 5}`, 0, end],
      [`5-${end + 1000}`, 5, end],
      ["131000-400001", 131_000, 400_001],
    ];
    for (const [range, from, to] of cases) {
      for (const condition of [{}, { "if-range": etag }]) {
        const last = range === "131000-400001" ? to + 1 : to;
        const [part, bytes] = await bytesOf(path(), { range: `bytes=${range}`, ...condition });
        expect(part.status, range).toBe(206);
        expect(part.headers.get("content-range")).toBe(`bytes ${from}-${last - 1}/${end}`);
        expect(part.headers.get("content-length")).toBe(String(last - from));
        expect(bytes.equals(whole.subarray(from, last)), range).toBe(true);
      }
    }
  });

  test("behind the end there is nothing: 416 and the length", async () => {
    const [, whole] = await bytesOf(path());
    for (const range of [`${whole.length}-`, "9-3", "-0", `${whole.length + 10}-${whole.length + 20}`]) {
      const [response] = await bytesOf(path(), { range: `bytes=${range}` });
      expect(response.status, range).toBe(416);
      expect(response.headers.get("content-range")).toBe(`bytes */${whole.length}`);
    }
  });

  test("several, unknown ones, and those of another form give the whole", async () => {
    const [, whole] = await bytesOf(path());
    const cases = [
      { range: "bytes=0-1,5-6" },
      { range: "lines=0-1" },
      { range: "bytes=0-1", "if-range": '"another"' },
      { range: "bytes=0-1", "if-range": "Wed, 21 Oct 2015 07:28:00 GMT" },
    ];
    for (const headers of cases) {
      const [response, bytes] = await bytesOf(path(), headers);
      expect([response.status, bytes.length]).toEqual([200, whole.length]);
    }
  });
});
