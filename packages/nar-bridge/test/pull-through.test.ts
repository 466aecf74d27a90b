import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { parseUpstream } from "@tvix/nar-bridge";
import { parseNarInfo, SecretKey } from "@tvix/narinfo";
import { describe, expect, onTestFinished, test } from "vitest";
import { startCache } from "./running-cache.ts";
import {
  narInfoOf,
  narInfoUrl,
  pathOf,
  type Sample,
  sample,
  smallSample,
  treeEntries,
  upload,
} from "./samples.ts";

const key = SecretKey.generate("upstream-1");
const stranger = SecretKey.generate("stranger-1");

/** The address of an upstream whose paths are signed with a key. */
const addressOf = (url: string, trusted = key, parameters = "") =>
  `nix+${url}?trusted-public-keys=${trusted.publicKey}${parameters}`;

/** A server that answers as a test says, and counts what it is asked for. */
async function startUpstream(listener: RequestListener): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    listener(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** An upstream with one path, its file being what a test wants it to be. */
async function upstreamOf(
  one: Sample,
  file: Uint8Array,
  changes: Parameters<typeof narInfoOf>[1] = {},
  signer = key,
) {
  return await startUpstream((request, response) => {
    if (request.url?.endsWith(".narinfo") === true) {
      const isThere = request.url === `/${pathOf(one).digestText()}.narinfo`;
      response.statusCode = isThere ? 200 : 404;
      response.end(isThere ? narInfoOf(one, { url: "nar/file", ...changes }, signer) : "");
    } else {
      response.end(file);
    }
  });
}

/** Fetches a path through a cache, as Nix does. */
async function fetchPath(url: string, one: Sample): Promise<"its NAR" | "something else" | number> {
  const narinfo = await fetch(narInfoUrl(url, one));
  if (!narinfo.ok) return narinfo.status;
  const info = parseNarInfo(await narinfo.text());
  const nar = await fetch(`${url}/${info.url}`, { headers: { "accept-encoding": "identity" } });
  if (!nar.ok) return nar.status;
  const file = Buffer.from(await nar.arrayBuffer());
  const contents =
    info.compression === "zstd" ? execFileSync("zstd", ["-dc"], { input: file, maxBuffer: 1 << 30 }) : file;
  return contents.equals(one.nar) ? "its NAR" : "something else";
}

/** How long something took, in milliseconds. */
async function timed<T>(task: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  return [await task(), performance.now() - start];
}

describe("one of our servers behind another", () => {
  test("a path is had through it, with its signatures, and is there afterwards without the upstream", async () => {
    const upstream = await startCache();
    const one = await sample(treeEntries(5));
    await upload(upstream.url, one, key);
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    const offered = await (await fetch(narInfoUrl(cache.url, one))).text();
    expect(parseNarInfo(offered)).toMatchObject({ url: `nar/${one.digits}.nar`, compression: "none" });
    expect(offered).not.toContain(upstream.url);
    // What was only asked about has not been fetched.
    expect(await cache.narIndex.get(one.hash)).toBeUndefined();
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
    await upstream.close();
    const info = parseNarInfo(await (await fetch(narInfoUrl(cache.url, one))).text());
    expect(info).toMatchObject({ compression: "zstd", url: `nar/${one.digits}.nar.zst` });
    expect(info.signatures.map(({ name }) => name)).toEqual(["upstream-1"]);
  });

  test("what was offered can be had after a restart", async () => {
    const upstream = await startCache();
    const one = await smallSample("contents");
    await upload(upstream.url, one, key);
    const first = await startCache({ upstreams: [addressOf(upstream.url)] });
    const { url } = parseNarInfo(await (await fetch(narInfoUrl(first.url, one))).text());
    await first.close();
    const second = await startCache({ data: first.data, upstreams: [addressOf(upstream.url)] });
    expect(Buffer.from(await (await fetch(`${second.url}/${url}`)).arrayBuffer())).toEqual(
      Buffer.from(one.nar),
    );
  });

  test("a path signed by another key is not there, nor is one that is not signed", async () => {
    const upstream = await startCache();
    const [one, other] = [await smallSample("contents"), await smallSample("others")];
    await upload(upstream.url, one, stranger);
    await upload(upstream.url, other);
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe(404);
    expect(await fetchPath(cache.url, other)).toBe(404);
  });
});

describe("every compression of an upstream", () => {
  const tool = (command: string) => (input: Uint8Array) => execFileSync(command, ["-c"], { input });
  test.each<[string | undefined, (nar: Uint8Array) => Uint8Array]>([
    ["none", (nar) => nar],
    ["xz", tool("xz")],
    ["bzip2", tool("bzip2")],
    [undefined, tool("bzip2")],
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
    ["br", brotliCompressSync],
  ])("%s", async (compression, compress) => {
    const one = await sample(treeEntries(5));
    const upstream = await upstreamOf(one, compress(one.nar), { compression });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });
});

test("a hundred who ask at once make one request each for narinfo and NAR", async () => {
  const one = await sample(treeEntries(5));
  const upstream = await upstreamOf(one, one.nar);
  const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
  const fetched = await Promise.all(Array.from({ length: 100 }, () => fetchPath(cache.url, one)));
  for (const nar of fetched) expect(nar).toBe("its NAR");
  expect(upstream.asked).toHaveLength(2);
});

describe("an upstream that fails", () => {
  const otherNar = async () => (await sample(treeEntries(6))).nar;
  test.each<[string, (nar: Uint8Array) => Promise<Uint8Array> | Uint8Array, Parameters<typeof narInfoOf>[1]]>(
    [
      ["another NAR", otherNar, {}],
      ["a NAR that is cut off", (nar) => nar.subarray(0, nar.length - 100), {}],
      ["a NAR with something behind it", (nar) => Buffer.concat([nar, new Uint8Array(8)]), {}],
      ["no NAR", () => new TextEncoder().encode("<html>"), {}],
      ["xz that is none", (nar) => nar, { compression: "xz" }],
      ["an unknown compression", (nar) => nar, { compression: "lzw" }],
    ],
  )("%s: no NAR for the client, and nothing stored", async (_what, change, changes) => {
    const one = await sample(treeEntries(5));
    const upstream = await upstreamOf(one, await change(one.nar), changes);
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe(404);
    expect(await cache.narIndex.get(one.hash)).toBeUndefined();
    expect(await cache.pathInfoService.get(pathOf(one).digest)).toBeUndefined();
  });

  test("the connection breaks in the middle of a NAR", async () => {
    const one = await sample(treeEntries(5));
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) {
        response.end(narInfoOf(one, { url: "nar/file" }, key));
      } else {
        response.writeHead(200, { "content-length": one.nar.length });
        response.write(one.nar.subarray(0, 100_000), () => response.destroy());
      }
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe(404);
  });

  test("a dead one: 404, at once", async () => {
    const gone = await startCache();
    await gone.close();
    const cache = await startCache({ upstreams: [addressOf(gone.url)] });
    const one = await smallSample("contents");
    await fetchPath(cache.url, one);
    const [answer, took] = await timed(() => fetchPath(cache.url, one));
    expect(answer).toBe(404);
    expect(took).toBeLessThan(1000);
  });

  test("a slow one is waited for once, and left alone for a while then", async () => {
    const upstream = await startUpstream(() => {});
    const cache = await startCache({ upstreams: [addressOf(upstream.url, key, "&timeout-ms=300")] });
    const samples = await Promise.all(["a", "b", "c"].map(smallSample));
    const [answers, took] = await timed(async () => {
      const found: unknown[] = [];
      for (const one of samples) found.push(await fetchPath(cache.url, one));
      return found;
    });
    expect(answers).toEqual([404, 404, 404]);
    expect(upstream.asked).toHaveLength(1);
    expect(took).toBeLessThan(3000);
  });

  test("one whose NAR stalls is given up", async () => {
    const one = await sample(treeEntries(5));
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) response.end(narInfoOf(one, { url: "nar/file" }, key));
      else response.write(one.nar.subarray(0, 1000));
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url, key, "&stall-timeout-ms=200")] });
    expect(await fetchPath(cache.url, one)).toBe(404);
  });

  test("one with an error: 404, and what is here is still served", async () => {
    const upstream = await startUpstream((_request, response) => {
      response.statusCode = 500;
      response.end();
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    const [here, missing] = [await smallSample("here"), await smallSample("missing")];
    await upload(cache.url, here);
    expect(await fetchPath(cache.url, missing)).toBe(404);
    expect(await fetchPath(cache.url, here)).toBe("its NAR");
  });

  test("of two, the one that has the path gives it", async () => {
    const one = await smallSample("contents");
    const broken = await startUpstream((_request, response) => response.destroy());
    const good = await upstreamOf(one, one.nar);
    const cache = await startCache({ upstreams: [addressOf(broken.url), addressOf(good.url)] });
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });

  test("one that says nothing does not hold up another that has the path", async () => {
    const one = await smallSample("contents");
    const silent = await startUpstream(() => {});
    const good = await upstreamOf(one, one.nar);
    // Longer than this test may take.
    const patient = addressOf(silent.url, key, "&timeout-ms=600000");
    const cache = await startCache({ upstreams: [patient, addressOf(good.url)] });
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });
});

describe("where the file of an upstream lies", () => {
  test.each(["http://127.0.0.1:1/nar/x", "//127.0.0.1:1/x", "file:///etc/passwd", "ftp://host/x", "http://"])(
    "at %s: never asked for",
    async (url) => {
      const one = await smallSample("contents");
      const upstream = await upstreamOf(one, one.nar, { url });
      const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
      const [answer, took] = await timed(() => fetchPath(cache.url, one));
      expect(answer).toBe(404);
      expect(took).toBeLessThan(2000);
      expect(upstream.asked).toHaveLength(1);
    },
  );

  test("behind a redirection: at the same origin it is followed, to another one only where that is allowed", async () => {
    const one = await smallSample("contents");
    const elsewhere = await startUpstream((_request, response) => response.end(one.nar));
    let target = "/moved";
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) response.end(narInfoOf(one, { url: "nar/file" }, key));
      else if (request.url === "/moved") response.end(one.nar);
      else response.writeHead(302, { location: target }).end();
    });
    const through = async (parameters = "") =>
      await fetchPath((await startCache({ upstreams: [addressOf(upstream.url, key, parameters)] })).url, one);
    expect(await through()).toBe("its NAR");
    target = `${elsewhere.url}/file`;
    expect(await through()).toBe(404);
    expect(elsewhere.asked).toEqual([]);
    expect(await through("&allow-other-origins=true")).toBe("its NAR");
    target = "/nar/file";
    expect(await through()).toBe(404);
  });
});

describe("addresses of upstreams", () => {
  test("say where, whom to trust, and how long to wait", () => {
    const upstream = parseUpstream(
      `nix+https://cache.example.org/sub?trusted-public-keys=${key.publicKey}%20${stranger.publicKey}&timeout-ms=1`,
    );
    expect(upstream.url.href).toBe("https://cache.example.org/sub/");
    expect(upstream.trustedKeys.map(String)).toEqual([String(key.publicKey), String(stranger.publicKey)]);
    expect(upstream).toMatchObject({ narInfoTimeoutMs: 1, allowOtherOrigins: false });
  });

  test.each([
    ["https://cache.example.org", /nix\+http/],
    ["nix+ftp://cache.example.org", /nix\+http/],
    ["nix+https://cache.example.org", /trusted-public-keys is missing/],
    ["nix+https://cache.example.org?trusted-public-keys=x", /public key/],
    [`nix+https://cache.example.org?trusted-public-keys=${key.publicKey}&timeout-ms=0`, /timeout-ms/],
    [`nix+https://cache.example.org?trusted-public-keys=${key.publicKey}&tiemout=1`, /tiemout/],
  ])("%s is none", (text, expected) => {
    expect(() => parseUpstream(text)).toThrow(expected);
  });
});
