import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { UNLIMITED_MEMORY } from "@tvix/castore";
import { parseUpstream } from "@tvix/nar-bridge";
import { SecretKey } from "@tvix/narinfo";
import { buildContentAddressedPath } from "@tvix/nix-compat";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { findInNetrc } from "../src/upstream/netrc.ts";
import { isPrivateAddress } from "../src/upstream/private-addresses.ts";
import { proxiesOf } from "../src/upstream/proxies.ts";
import { startCache } from "./running-cache.ts";
import { narInfoOf, narInfoUrl, pathOf, type Sample, sha256, smallSample } from "./samples.ts";
import { bzip2Sync, xzSync } from "./tools.ts";

const key = SecretKey.generate("upstream-1");

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

/** An upstream with one path. */
const servingPath =
  (one: Sample, info = narInfoOf(one, { url: "nar/file" }, key)): RequestListener =>
  (asked, response) => {
    if (asked.url === `/${pathOf(one).digestText()}.narinfo`) response.end(info);
    else if (asked.url === "/nar/file") response.end(one.nar);
    else response.writeHead(404).end();
  };

const trusting = (url: URL | string, parameters = "") =>
  `nix+${url}?trusted-public-keys=${key.publicKey}${parameters}`;

async function narThrough(address: string, one: Sample): Promise<number> {
  const cache = await startCache({ upstreams: [address] });
  const narInfo = await fetch(narInfoUrl(cache.url, one));
  if (!narInfo.ok) return narInfo.status;
  return (await fetch(`${cache.url}/nar/${one.digits}.nar`)).status;
}

describe("private upstreams", () => {
  const BASIC = `Basic ${Buffer.from("user:pa ss").toString("base64")}`;
  const guarded = async (expected: string, one: Sample) =>
    await serve((asked, response) => {
      if (asked.headers.authorization === expected) servingPath(one)(asked, response);
      else response.writeHead(401).end();
    });

  test("with user and password in the address, which is told nowhere else", async () => {
    const one = await smallSample("contents");
    const url = await guarded(BASIC, one);
    expect(await narThrough(trusting(url), one)).toBe(404);
    const address = trusting(`http://user:pa%20ss@${url.host}`);
    expect(await narThrough(address, one)).toBe(200);
    const upstream = parseUpstream(address);
    expect(JSON.stringify(upstream) + upstream.url.href).not.toContain("pa%20ss");
    for (const wrong of ["nix+ftp://user:secret@host", `${trusting("http://user:secret@host")}&wrong=1`]) {
      expect(() => parseUpstream(wrong)).toThrow(expect.not.stringContaining("secret"));
    }
  });

  test("with a netrc file, and with a token in a file", async () => {
    const one = await smallSample("contents");
    const folder = await temporaryDirectory();
    const [netrc, token] = [join(folder, "netrc"), join(folder, "token")];
    await writeFile(
      netrc,
      `machine other login x password y\nmachine 127.0.0.1 login user password "pa ss"\n`,
    );
    await writeFile(token, "a-token\n");
    expect(await narThrough(trusting(await guarded(BASIC, one), `&netrc-file=${netrc}`), one)).toBe(200);
    const bearing = await guarded("Bearer a-token", one);
    expect(await narThrough(trusting(bearing, `&bearer-token-file=${token}`), one)).toBe(200);
    expect(() => parseUpstream(trusting(bearing, "&netrc-file=x&bearer-token-file=y"))).toThrow(/only one/);
  });

  test("who asks is told to nobody but the upstream itself", async () => {
    const one = await smallSample("contents");
    const told: (string | undefined)[] = [];
    const elsewhere = await serve((asked, response) => {
      told.push(asked.headers.authorization);
      response.end(one.nar);
    });
    const info = narInfoOf(one, { url: `${elsewhere.href}nar` }, key);
    const upstream = await serve(servingPath(one, info));
    expect(await narThrough(trusting(`http://user:secret@${upstream.host}`), one)).toBe(200);
    expect(told).toEqual([undefined]);
  });

  test.each([
    ["machine a login b password c", "a", { login: "b", password: "c" }],
    ["default login d password e\n", "a", { login: "d", password: "e" }],
    ["machine a\n  login b\n  password c\nmachine a login x password y", "a", { login: "b", password: "c" }],
    ["# machine a login x password y\nmachine b password c", "b", { login: "", password: "c" }],
    ["machine a login b account z password c", "a", { login: "b", password: "c" }],
    ["machine a login b", "a", undefined],
    ["", "a", undefined],
  ])("the netrc file %j", (text, host, expected) => {
    expect(findInNetrc(text, host)).toEqual(expected);
  });
});

test.each(["not an address", "ftp://proxy:21", "http://"])(
  "a proxy named by %s is refused by name",
  (value) => {
    expect(() => proxiesOf({ HTTPS_PROXY: value })).toThrow("HTTPS_PROXY names no proxy");
  },
);

describe("through a proxy", () => {
  afterEach(() => void vi.unstubAllEnvs());

  test("that http_proxy names, but for hosts of no_proxy", async () => {
    const one = await smallSample("contents");
    const upstream = await serve(servingPath(one));
    const asked: string[] = [];
    const proxy = await serve((incoming, response) => {
      asked.push(incoming.url ?? "");
      const target = new URL(new URL(incoming.url ?? "", upstream).pathname, upstream);
      request(target, { headers: incoming.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }).end();
    }).then((url) => url.href);
    const tunnels: string[] = [];
    const tunnel = createServer();
    tunnel.on("connect", ({ url }, socket) => {
      tunnels.push(url ?? "");
      const other = connect(Number(upstream.port), upstream.hostname, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        other.pipe(socket).pipe(other);
      });
      for (const end of [socket, other]) end.on("error", () => void other.destroy());
    });
    tunnel.listen(0, "127.0.0.1");
    await once(tunnel, "listening");
    onTestFinished(() => void tunnel.close());
    vi.stubEnv("no_proxy", "");
    // A name that only the proxy knows. Plain HTTP is asked of the proxy, TLS of a tunnel through it.
    vi.stubEnv("http_proxy", proxy.replace(/^http:\/\/|\/$/g, ""));
    expect(await narThrough(trusting("http://cache.invalid"), one)).toBe(200);
    expect(asked.every((url) => url.startsWith("http://cache.invalid/"))).toBe(true);
    vi.stubEnv("http_proxy", "");
    vi.stubEnv("all_proxy", `http://127.0.0.1:${(tunnel.address() as AddressInfo).port}`);
    expect(await narThrough(trusting("https://cache.invalid"), one)).not.toBe(200);
    expect(new Set(tunnels)).toEqual(new Set(["cache.invalid:443"]));
    asked.length = 0;
    vi.stubEnv("http_proxy", proxy);
    vi.stubEnv("no_proxy", "127.0.0.1");
    expect(await narThrough(trusting(upstream), one)).toBe(200);
    expect(asked).toEqual([]);
  });
});

describe("paths that are named by their contents", () => {
  test.each(["nar", "flat"] as const)("need no signature: %s", async (method) => {
    const one = await smallSample("contents");
    const hash = method === "nar" ? one.hash : sha256(new TextEncoder().encode("contents"));
    const contentAddress = { method, hash };
    const storePath = buildContentAddressedPath("sample", contentAddress);
    const info = narInfoOf(one, { url: "nar/file", storePath, contentAddress });
    const upstream = await serve((asked, response) => {
      response.end(asked.url === "/nar/file" ? one.nar : info);
    });
    const cache = await startCache({ upstreams: [trusting(upstream)] });
    const narInfo = await fetch(`${cache.url}/${storePath.digestText()}.narinfo`);
    expect([narInfo.status, await narInfo.text()]).toEqual([200, expect.stringContaining("\nCA: fixed:")]);
    expect((await fetch(`${cache.url}/nar/${one.digits}.nar`)).status).toBe(200);
  });

  test("whose contents are others are not taken, nor those whose name does not follow", async () => {
    const [one, other] = [await smallSample("contents"), await smallSample("others")];
    const contentAddress = { method: "flat", hash: sha256(new TextEncoder().encode("others")) } as const;
    const storePath = buildContentAddressedPath("sample", contentAddress);
    // The NAR is what the narinfo says, and not what the name of the path says.
    const info = narInfoOf(one, { url: "nar/file", storePath, contentAddress });
    const upstream = await serve((asked, response) => {
      response.end(asked.url === "/nar/file" ? one.nar : info);
    });
    const cache = await startCache({ upstreams: [trusting(upstream)] });
    expect((await fetch(`${cache.url}/${storePath.digestText()}.narinfo`)).status).toBe(200);
    expect((await fetch(`${cache.url}/nar/${one.digits}.nar`)).status).toBe(404);
    expect(await cache.pathInfoService.get(storePath.digest)).toBeUndefined();
    const lying = narInfoOf(other, { url: "nar/file", contentAddress });
    const liar = await serve(servingPath(other, lying));
    expect(await narThrough(trusting(liar), other)).toBe(404);
  });
});

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
  ["deflate", deflateSync],
  ["xz", xzSync],
  ["bzip2", bzip2Sync],
])("Content-Encoding %s is decoded, of narinfo and NAR", async (coding, encode) => {
  const one = await smallSample("contents");
  const upstream = await serve((asked, response) => {
    const body = asked.url === "/nar/file" ? one.nar : Buffer.from(narInfoOf(one, { url: "nar/file" }, key));
    response.writeHead(200, { "content-encoding": coding }).end(encode(body));
  });
  expect(await narThrough(trusting(upstream), one)).toBe(200);
});

test.each([
  `log/${"0".repeat(32)}-name-1.0.drv`,
  `realisations/sha256:${"a".repeat(64)}!out.doi`,
  `build-trace-v2/${"0".repeat(32)}-name.drv/out.doi`,
  "debuginfo/0123456789abcdef0123456789abcdef01234567",
  `${"0".repeat(32)}.ls`,
])("%s is pulled through, and kept", async (path) => {
  let isThere = false;
  let asked = 0;
  const upstream = await serve((_, response) => {
    asked++;
    response.writeHead(isThere ? 200 : 404, { "content-type": "text/x-any", "content-encoding": "br" });
    response.end(isThere ? brotliCompressSync("contents") : "");
  });
  const missing = await startCache({ upstreams: [trusting(upstream)] });
  expect((await fetch(`${missing.url}/${path}`)).status).toBe(404);
  // For a while nobody is asked again.
  expect((await fetch(`${missing.url}/${path}`)).status).toBe(404);
  expect(asked).toBe(1);
  isThere = true;
  const cache = await startCache({ upstreams: [trusting(upstream)] });
  for (let time = 0; time < 2; time++) {
    const response = await fetch(`${cache.url}/${path}`);
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      "text/x-any",
      "contents",
    ]);
  }
  expect(asked).toBe(2);
});

test.each([203, 204, 206])(
  "a log that is answered with %i, which is not the whole of it: 404",
  async (status) => {
    const upstream = await serve((_, response) => {
      response.writeHead(status, status === 206 ? { "content-range": "bytes 0-4/9" } : {});
      response.end(status === 204 ? undefined : "all o");
    });
    const cache = await startCache({ upstreams: [trusting(upstream)] });
    expect((await fetch(`${cache.url}/log/${"0".repeat(32)}-name-1.0.drv`)).status).toBe(404);
  },
);

test.each([
  ["127.0.0.1", true],
  ["10.1.2.3", true],
  ["172.31.0.1", true],
  ["172.32.0.1", false],
  ["192.168.1.1", true],
  ["169.254.169.254", true],
  ["100.100.0.1", true],
  ["0.0.0.0", true],
  ["8.8.8.8", false],
  ["::1", true],
  ["::", true],
  ["fe80::1%eth0", true],
  ["fd00::1", true],
  ["::ffff:127.0.0.1", true],
  ["::ffff:8.8.8.8", false],
  ["64:ff9b::7f00:1", true],
  ["2001:4860:4860::8888", false],
])("%s is in a private network: %s", (address, expected) => {
  expect(isPrivateAddress(address)).toBe(expected);
});

test("an upstream that is not in a private network leads to none", async () => {
  const { fetchFile, isReachable } = await import("../src/upstream/fetch.ts");
  const { WebClient } = await import("../src/upstream/web-client.ts");
  // An address that is nobody's (RFC 5737), so not private.
  const upstream = parseUpstream(trusting("http://192.0.2.1"));
  for (const location of ["http://127.0.0.1:1/nar", "http://[::1]:1/nar", "http://localhost/nar"]) {
    expect(await isReachable(upstream, location)).toBe(false);
    const asking = fetchFile(
      new WebClient({ memory: UNLIMITED_MEMORY, maxWindowBytes: 1 << 20 }),
      upstream,
      location,
      AbortSignal.timeout(5000),
    );
    await expect(asking).rejects.toThrow(/private network/);
  }
  expect(await isReachable(upstream, "http://192.0.2.2/nar")).toBe(true);
});
