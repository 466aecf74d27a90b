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
/** A narinfo that nobody has signed. */
const OTHER = narInfoOf(await smallSample("odd"));

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
  signer: SecretKey | undefined = key,
  more = "",
) {
  return await startUpstream((request, response) => {
    if (request.url?.endsWith(".narinfo") === true) {
      const isThere = request.url === `/${pathOf(one).digestText()}.narinfo`;
      response.statusCode = isThere ? 200 : 404;
      response.end(isThere ? narInfoOf(one, { url: "nar/file", ...changes }, signer) + more : "");
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
    expect(parseNarInfo(offered)).toMatchObject({
      url: `nar/${one.digits}.nar`,
      compression: "none",
      fileHash: one.hash,
      fileSize: one.nar.length,
    });
    expect(offered).not.toContain(upstream.url);
    // What was only asked about has not been fetched.
    expect(await cache.narIndex.get(one.hash)).toBeUndefined();
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
    await upstream.close();
    const later = await (await fetch(narInfoUrl(cache.url, one))).text();
    expect(later).toBe(offered);
    expect(parseNarInfo(later).signatures.map(({ name }) => name)).toEqual(["upstream-1"]);
  });

  test("with keys of our own the narinfo is signed by them from the start, and stays as it was", async () => {
    const one = await smallSample("contents");
    const keys = [SecretKey.generate("ours-1"), SecretKey.generate("ours-2")];
    const odd = "Sig: future-1:AAAA\nWeather: fine\n";
    const upstream = await upstreamOf(one, one.nar, { system: "x86_64-linux" }, key, odd);
    const cache = await startCache({ upstreams: [addressOf(upstream.url)], signingKeys: keys });
    const textOf = async () => await (await fetch(narInfoUrl(cache.url, one))).text();
    const first = await textOf();
    expect(parseNarInfo(first).signatures.map(({ name }) => name)).toEqual([
      "upstream-1",
      "ours-1",
      "ours-2",
    ]);
    expect(first).toContain(odd);
    expect(first).toContain("System: x86_64-linux\n");
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
    expect(await cache.pathInfoService.get(pathOf(one).digest)).toBeDefined();
    expect(await textOf()).toBe(first);
  });

  test("a path that is only offered can be signed: its NAR is fetched then", async () => {
    const upstream = await startCache();
    const one = await smallSample("contents");
    await upload(upstream.url, one, key);
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    const offered = await (await fetch(narInfoUrl(cache.url, one))).text();
    const ours = SecretKey.generate("ours-1");
    const [, signature] = /^Sig: (ours-1:.*)$/m.exec(narInfoOf(one, {}, ours)) ?? [];
    const signed = await fetch(narInfoUrl(cache.url, one), {
      method: "PUT",
      body: `${offered}Sig: ${signature}\n`,
    });
    expect(signed.status).toBe(200);
    const { signatures } = parseNarInfo(await (await fetch(narInfoUrl(cache.url, one))).text());
    expect(signatures.map(({ name }) => name).sort()).toEqual(["ours-1", "upstream-1"]);
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });

  test("signatures that came while an upstream could not be reached hold once its NAR has", async () => {
    const one = await smallSample("contents");
    let works = false;
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) response.end(narInfoOf(one, { url: "nar/file" }, key));
      else if (works) response.end(one.nar);
      else request.socket.destroy();
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    await (await fetch(narInfoUrl(cache.url, one))).text();
    const text = narInfoOf(one, {}, SecretKey.generate("ours-1"));
    expect((await fetch(narInfoUrl(cache.url, one), { method: "PUT", body: text })).status).toBe(202);
    works = true;
    await expect.poll(() => fetchPath(cache.url, one), { timeout: 10_000 }).toBe("its NAR");
    const { signatures } = parseNarInfo(await (await fetch(narInfoUrl(cache.url, one))).text());
    expect(signatures.map(({ name }) => name).sort()).toEqual(["ours-1", "upstream-1"]);
  });

  test("a narinfo that is no UTF-8 is none, from an upstream or in an upload", async () => {
    const one = await smallSample("contents");
    const text = Buffer.concat([
      Buffer.from(narInfoOf(one, { url: "nar/file" }, key)),
      Buffer.from("Weather: \xff\n", "latin1"),
    ]);
    const upstream = await startUpstream((request, response) => {
      response.end(request.url?.endsWith(".narinfo") === true ? text : one.nar);
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
    expect((await fetch(narInfoUrl(cache.url, one), { method: "PUT", body: text })).status).toBe(400);
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
    ["lzma", (nar) => execFileSync("xz", ["-c", "--format=lzma"], { input: nar })],
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

  test.each(["whole", "in parts"])(
    "a NAR that breaks off twice is had nevertheless, from one that sends files %s",
    async (kind) => {
      const one = await sample(treeEntries(5));
      let breaks = 2;
      const upstream = await startUpstream((request, response) => {
        if (request.url?.endsWith(".narinfo") === true) {
          response.end(narInfoOf(one, { url: "nar/file" }, key));
          return;
        }
        const asked = kind === "whole" ? undefined : /bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1];
        const start = Number(asked ?? 0);
        const length = one.nar.length - start;
        const range = `bytes ${start}-${one.nar.length - 1}/${one.nar.length}`;
        const headers = { "content-length": length, etag: '"a"' };
        response.writeHead(
          start === 0 ? 200 : 206,
          start === 0 ? headers : { ...headers, "content-range": range },
        );
        if (breaks-- > 0) response.write(one.nar.subarray(start, start + 100_000), () => response.destroy());
        else response.end(one.nar.subarray(start));
      });
      const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
      expect(await fetchPath(cache.url, one)).toBe("its NAR");
      expect(upstream.asked.filter((url) => url === "/nar/file")).toHaveLength(3);
    },
  );

  test("one that has a NAR no more: another one that has the same gives it", async () => {
    const one = await sample(treeEntries(5));
    const good = await upstreamOf(one, one.nar);
    let offers = true;
    const broken = await startUpstream((request, response) => {
      response.statusCode = offers && request.url?.endsWith(".narinfo") === true ? 200 : 500;
      response.end(response.statusCode === 200 ? narInfoOf(one, { url: "nar/file" }, key) : "");
    });
    // Nothing but the first has it yet.
    const cache = await startCache({ upstreams: [addressOf(broken.url), addressOf(good.url)] });
    await cache.offers.put(one.hash, {
      upstream: `${broken.url}/`,
      narInfo: narInfoOf(one, { url: "nar/file" }, key),
    });
    offers = false;
    const nar = await fetch(`${cache.url}/nar/${one.digits}.nar`, {
      headers: { "accept-encoding": "identity" },
    });
    expect(Buffer.from(await nar.arrayBuffer()).equals(one.nar)).toBe(true);
  });

  test("one that has the NAR no more while another one is down: 503, the other one may have it", async () => {
    const one = await smallSample("contents");
    let isDown = false;
    const first = await startUpstream((request, response) => {
      const isInfo = request.url?.endsWith(".narinfo") === true;
      response.statusCode = isInfo ? 200 : 404;
      response.end(isInfo ? narInfoOf(one, { url: "nar/file" }, key) : "");
    });
    const second = await startUpstream((request, response) => {
      response.statusCode = isDown ? 503 : 404;
      if (isDown && request.url !== "/") response.statusCode = 503;
      response.end();
    });
    const cache = await startCache({ upstreams: [addressOf(first.url), addressOf(second.url)] });
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(200);
    isDown = true;
    const nar = () => fetch(`${cache.url}/nar/${one.digits}.nar`);
    expect((await nar()).status).toBe(503);
    isDown = false;
    expect((await nar()).status).toBe(404);
  });

  test("a file that has come but for its end, and a connection that is reset at first: both are had", async () => {
    const one = await smallSample("contents");
    let resets = 1;
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) {
        response.end(narInfoOf(one, { url: "nar/file" }, key));
      } else if (request.headers.range !== undefined) {
        response.writeHead(416, { "content-range": `bytes */${one.nar.length}` }).end();
      } else if (resets-- > 0) {
        response.destroy();
      } else {
        // Chunked, and never ended.
        response.write(one.nar, () => response.destroy());
      }
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });

  test.each([
    ["416", { status: 416, headers: {} }],
    ["another part", { status: 206, headers: { "content-range": "bytes 0-4/100" } }],
  ])("the rest of a file is answered by %s: it is had from its beginning", async (_, answer) => {
    const one = await sample(treeEntries(5));
    let cuts = 1;
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) {
        response.end(narInfoOf(one, { url: "nar/file" }, key));
      } else if (request.headers.range !== undefined) {
        response.writeHead(answer.status, answer.headers).end(one.nar.subarray(0, 5));
      } else if (cuts-- > 0) {
        response.writeHead(200, { "content-length": one.nar.length });
        response.write(one.nar.subarray(0, 100_000), () => response.destroy());
      } else {
        response.end(one.nar);
      }
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });

  test("a connection that breaks before the narinfo came: it is asked for once more", async () => {
    const one = await smallSample("contents");
    let breaks = 1;
    const upstream = await startUpstream((request, response) => {
      if (breaks-- > 0) response.destroy();
      else
        response.end(
          request.url?.endsWith(".narinfo") === true ? narInfoOf(one, { url: "nar/file" }, key) : one.nar,
        );
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });

  test("one path that fails, however often, says nothing of the others", async () => {
    const [bad, good] = await Promise.all([smallSample("bad"), smallSample("good")]);
    const upstream = await startUpstream((request, response) => {
      const { url = "" } = request;
      const one = [bad, good].find((sample) => url === `/${pathOf(sample).digestText()}.narinfo`);
      if (one !== undefined)
        response.end(narInfoOf(one, { url: `nar/${one === bad ? "bad" : "good"}` }, key));
      else if (url === "/nar/good") response.end(good.nar);
      else response.writeHead(500, { "retry-after": "0" }).end();
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    for (let asked = 0; asked < 5; asked++) expect(await fetchPath(cache.url, bad)).toBe(503);
    for (const log of ["one", "two"]) expect((await fetch(`${cache.url}/log/${log}`)).status).toBe(404);
    expect(await fetchPath(cache.url, good)).toBe("its NAR");
  });

  test("a path whose NAR has proved wrong is not offered any more", async () => {
    const one = await smallSample("contents");
    const upstream = await upstreamOf(one, Buffer.from("no NAR"));
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe(404);
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
  });

  test("one that asks for minutes is not waited for by a client", async () => {
    const one = await smallSample("contents");
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) {
        response.end(narInfoOf(one, { url: "nar/file" }, key));
      } else {
        response.writeHead(503, { "retry-after": "600" }).end();
      }
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect(await fetchPath(cache.url, one)).toBe(503);
    expect(upstream.asked.filter((url) => url === "/nar/file")).toHaveLength(1);
  });

  test("the connection breaks in the middle of a NAR, again and again: 503, to be tried again", async () => {
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
    expect(await fetchPath(cache.url, one)).toBe(503);
    expect(await cache.narIndex.get(one.hash)).toBeUndefined();
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

  test("a slow one is waited for three times, and left alone for a while then", async () => {
    const upstream = await startUpstream(() => {});
    const cache = await startCache({ upstreams: [addressOf(upstream.url, key, "&timeout-ms=300")] });
    const samples = await Promise.all(["a", "b", "c", "d", "e"].map(smallSample));
    const [answers, took] = await timed(async () => {
      const found: unknown[] = [];
      for (const one of samples) found.push(await fetchPath(cache.url, one));
      return found;
    });
    expect(answers).toEqual([404, 404, 404, 404, 404]);
    expect(upstream.asked).toHaveLength(3);
    expect(took).toBeLessThan(3000);
  });

  test.each<[string, RequestListener]>([
    ["what is no narinfo", (_, response) => response.end("<!DOCTYPE html>")],
    ["400", (_, response) => response.writeHead(400).end()],
    ["401", (_, response) => response.writeHead(401).end()],
    ["429", (_, response) => response.writeHead(429, { "retry-after": "60" }).end()],
    ["451", (_, response) => response.writeHead(451).end()],
    ["500", (_, response) => response.writeHead(500).end()],
    ["nothing in time", () => {}],
    ["no signature", (_, response) => response.end(OTHER)],
  ])("%s for one path: that path is not there, and the next one is", async (_what, answer) => {
    const one = await smallSample("contents");
    const upstream = await startUpstream((request, response) => {
      if (request.url === `/${pathOf(one).digestText()}.narinfo`) {
        response.end(narInfoOf(one, { url: "nar/file" }, key));
      } else if (request.url === "/nar/file") response.end(one.nar);
      else answer(request, response);
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url, key, "&timeout-ms=300")] });
    expect(await fetchPath(cache.url, await smallSample("odd"))).toBe(404);
    expect(await fetchPath(cache.url, one)).toBe("its NAR");
  });

  test("one whose NAR stalls is given up, for now", async () => {
    const one = await sample(treeEntries(5));
    const upstream = await startUpstream((request, response) => {
      if (request.url?.endsWith(".narinfo") === true) response.end(narInfoOf(one, { url: "nar/file" }, key));
      else response.write(one.nar.subarray(0, 1000));
    });
    const cache = await startCache({ upstreams: [addressOf(upstream.url, key, "&stall-timeout-ms=200")] });
    expect(await fetchPath(cache.url, one)).toBe(503);
  }, 30_000);

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
  test.each(["file:///etc/passwd", "ftp://host/x", "http://"])("at %s: there is no narinfo", async (url) => {
    const one = await smallSample("contents");
    const upstream = await upstreamOf(one, one.nar, { url });
    const cache = await startCache({ upstreams: [addressOf(upstream.url)] });
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
    expect(upstream.asked).toHaveLength(1);
  });

  test.each(["http://127.0.0.1:1/nar/x", "//127.0.0.1:1/x"])(
    "at %s, where other origins are not allowed: there is no narinfo",
    async (url) => {
      const one = await smallSample("contents");
      const upstream = await upstreamOf(one, one.nar, { url });
      const address = addressOf(upstream.url, key, "&allow-other-origins=false");
      const cache = await startCache({ upstreams: [address] });
      expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
      expect(upstream.asked).toHaveLength(1);
    },
  );

  test("behind a redirection: it is followed, to another origin unless that is not allowed", async () => {
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
    expect(await through("&allow-other-origins=false")).toBe(404);
    expect(elsewhere.asked).toEqual([]);
    expect(await through()).toBe("its NAR");
    target = "/nar/file";
    expect(await through()).toBe(404);
  });

  test("a NAR that is longer than what is taken has no narinfo", async () => {
    const one = await smallSample("contents");
    const upstream = await upstreamOf(one, one.nar);
    const limits = { maxNarBytes: one.nar.length - 1 };
    const cache = await startCache({ upstreams: [addressOf(upstream.url)], limits });
    expect((await fetch(narInfoUrl(cache.url, one))).status).toBe(404);
  });
});

describe("addresses of upstreams", () => {
  test("say where, whom to trust, and how long to wait", () => {
    const upstream = parseUpstream(
      `nix+https://cache.example.org/sub?trusted-public-keys=${key.publicKey}%20${stranger.publicKey}&timeout-ms=1`,
    );
    expect(upstream.url.href).toBe("https://cache.example.org/sub/");
    expect(upstream.trustedKeys?.map(String)).toEqual([String(key.publicKey), String(stranger.publicKey)]);
    expect(upstream).toMatchObject({ narInfoTimeoutMs: 1, allowOtherOrigins: true });
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
