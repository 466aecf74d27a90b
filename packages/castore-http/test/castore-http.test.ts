import { once } from "node:events";
import { createConnection } from "node:net";
import { EMPTY_DIGEST } from "@tvix/castore";
import { ingestTar } from "@tvix/castore-archive";
import { expect, onTestFinished, test } from "vitest";
import { TestStore } from "./app.ts";

/** The tree of the reference's own tests, and what it answers (castore-http of snix), with its faults put right. */
async function complicated() {
  const store = new TestStore();
  const hello = await store.file("hello, world\n");
  const nested = await store.directory([
    ["index.html", await store.file("<h1>hi</h1>")],
    ["symlink", store.link("index.html")],
    ["dot_symlink", store.link("./index.html")],
    ["dotdot_symlink", store.link("../hello")],
    ["dot", store.link(".")],
  ]);
  const root = await store.directory([
    ["hello", hello],
    ["aa", store.link("/nix/store/abc-somewhereelse/x")],
    ["passwd", store.link("/etc/passwd")],
    ["out", store.link("../x")],
    ["to nested", store.link("nested")],
    ["nested", nested],
    ["plain", await store.directory([["a&<b>", hello]])],
  ]);
  return { store, hello, root, base: `/castore/${root.digest.toHex()}` };
}

test("a file has its type, tag and length, and parts of it can be had", async () => {
  const { store, hello, base } = await complicated();
  const app = store.app();
  const whole = await app.inject(`${base}/hello`);
  expect(whole.statusCode).toBe(200);
  expect(whole.body).toBe("hello, world\n");
  expect(whole.headers).toMatchObject({
    "content-type": "text/plain; charset=utf-8",
    "content-length": "13",
    "accept-ranges": "bytes",
    etag: `"${hello.digest.toHex()}"`,
    "cache-control": "max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
  });
  expect(whole.headers["content-security-policy"]).toContain("sandbox");
  const part = await app.inject({ url: `${base}/hello`, headers: { range: "bytes=7-11" } });
  expect([part.statusCode, part.body, part.headers["content-range"]]).toEqual([
    206,
    "world",
    "bytes 7-11/13",
  ]);
  const behind = await app.inject({ url: `${base}/hello`, headers: { range: "bytes=13-" } });
  expect([behind.statusCode, behind.headers["content-range"]]).toEqual([416, "bytes */13"]);
  const known = await app.inject({
    url: `${base}/hello`,
    headers: { "if-none-match": `"${hello.digest.toHex()}"` },
  });
  expect(known.statusCode).toBe(304);
  const head = await app.inject({ method: "HEAD", url: `${base}/hello` });
  expect([head.statusCode, head.headers["content-length"], head.body]).toEqual([200, "13", ""]);
});

test("a digest may be written in each of its forms, and be that of a blob", async () => {
  const { store, hello, root } = await complicated();
  const app = store.app();
  const { digest } = hello;
  const urlSafe = digest.toString().replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
  for (const name of [
    digest.toHex(),
    encodeURIComponent(digest.toString()),
    encodeURIComponent(digest.toTvixString()),
    `blake3-${urlSafe.slice(7)}`,
    `file:${digest.toHex()}`,
  ]) {
    expect((await app.inject(`/castore/${name}`)).body).toBe("hello, world\n");
  }
  expect((await app.inject(`/castore/directory:${digest.toHex()}`)).statusCode).toBe(404);
  expect((await app.inject(`/castore/${root.digest.toHex().toUpperCase()}`)).statusCode).toBe(200);
  expect((await app.inject("/castore/xyz")).statusCode).toBe(400);
  expect((await app.inject(`/castore/${"0".repeat(64)}`)).statusCode).toBe(404);
  // What a long blob and one of a single chunk say of their length.
  const long = await store.file(Buffer.alloc(5 << 20, "long "));
  expect((await app.inject(`/castore/${long.digest.toHex()}`)).headers["content-length"]).toBe(
    String(5 << 20),
  );
  expect((await app.inject(`/castore/file:${EMPTY_DIGEST.toHex()}`)).headers["content-length"]).toBe("0");
});

test("a directory is its index, or a listing as a page or as JSON", async () => {
  const { store, root, base } = await complicated();
  const app = store.app();
  const index = await app.inject(`${base}/nested/`);
  expect([index.statusCode, index.body, index.headers["content-type"]]).toEqual([
    200,
    "<h1>hi</h1>",
    "text/html; charset=utf-8",
  ]);
  const slash = await app.inject(`${base}/nested`);
  expect([slash.statusCode, slash.headers.location]).toEqual([307, `${base}/nested/`]);
  const listing = await app.inject(`${base}/nested?format=html`);
  expect([...listing.body.matchAll(/<td><a href="[^"]*">([^<]*)</g)].map(([, name]) => name)).toEqual([
    "..",
    "dot",
    "dot_symlink",
    "dotdot_symlink",
    "index.html",
    "symlink",
  ]);
  const plain = await app.inject(`${base}/plain`);
  expect(plain.body).toContain(`href="${base}/plain/a%26%3Cb%3E">a&#38;&#60;b&#62;<`);
  for (const request of [
    { url: `${base}/?format=json` },
    { url: base, headers: { accept: "application/json" } },
  ]) {
    const json = (await app.inject(request)).json();
    expect(json).toMatchObject({ type: "directory", digest: root.digest.toString() });
    expect(json.entries.map(({ name }: { name: string }) => name)).toEqual([
      "aa",
      "hello",
      "nested",
      "out",
      "passwd",
      "plain",
      "to nested",
    ]);
    expect(json.entries[0]).toEqual({
      name: "aa",
      type: "symlink",
      target: "/nix/store/abc-somewhereelse/x",
    });
  }
  const other = store.app({ indexNames: ["none", "hello"] });
  expect((await other.inject(`${base}/`)).body).toBe("hello, world\n");
});

test("links lead to where they point, with what was asked for below them", async () => {
  const { store, base } = await complicated();
  const app = store.app();
  for (const [path, location] of [
    ["/nested/symlink", `${base}/nested/index.html`],
    ["/nested/dot_symlink", `${base}/nested/index.html`],
    ["/nested/dotdot_symlink", `${base}/hello`],
    ["/nested/dot", `${base}/nested`],
    ["/to%20nested/index.html?x=1", `${base}/nested/index.html?x=1`],
    ["/aa", "/serve/abc-somewhereelse/x"],
    ["/aa/y%20z", "/serve/abc-somewhereelse/x/y%20z"],
  ]) {
    const answer = await app.inject(`${base}${path}`);
    expect([path, answer.statusCode, answer.headers.location]).toEqual([path, 307, location]);
  }
  for (const path of ["/passwd", "/out", "/nope", "/hello/below", "/nested/nope.tar"]) {
    expect((await app.inject(`${base}${path}`)).statusCode).toBe(404);
  }
  const link = await app.inject(`${base}/passwd?format=json`);
  expect(link.json()).toEqual({ type: "symlink", target: "/etc/passwd" });
});

test("a file is what it is, whatever is accepted; a directory is JSON where pages are not", async () => {
  const store = new TestStore();
  const data = await store.directory([["data.json", await store.file("[1]")]]);
  const app = store.app();
  const base = `/castore/${data.digest.toHex()}`;
  for (const accept of ["application/json, text/plain, */*", "application/json", "*/*"]) {
    const answer = await app.inject({ url: `${base}/data.json`, headers: { accept } });
    expect([answer.body, answer.headers["content-type"]]).toEqual(["[1]", "application/json; charset=utf-8"]);
  }
  const typeOf = async (accept: string) =>
    (await app.inject({ url: base, headers: { accept } })).headers["content-type"];
  expect(await typeOf("application/json, text/plain, */*")).toBe("application/json");
  expect(await typeOf("text/html, application/json")).toBe("text/html; charset=utf-8");
  expect(await typeOf("application/json;q=0, */*")).toBe("text/html; charset=utf-8");
});

test("a file that is longer than its directory says is cut off, and does not look whole", async () => {
  const store = new TestStore();
  const long = await store.file("x".repeat(100_000));
  const root = await store.directory([["short.txt", { ...long, size: 10n }]]);
  const app = store.app();
  const address = await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => app.close());
  const answer = fetch(`${address}/castore/${root.digest.toHex()}/short.txt`).then((response) =>
    response.arrayBuffer(),
  );
  await expect(answer).rejects.toThrow();
});

test("a root is served by its name, and by the beginning of it", async () => {
  const { store, root } = await complicated();
  const name = "abc-somewhereelse";
  store.roots.set(name, root);
  store.roots.set("link-x", store.link("abc-somewhereelse/nested"));
  store.roots.set("file-y", await store.file("y"));
  const app = store.app();
  const file = await app.inject(`/serve/${name}/hello`);
  expect([file.body, file.headers["cache-control"]]).toEqual(["hello, world\n", "max-age=60"]);
  expect((await app.inject("/serve/abc/hello?a=b")).headers.location).toBe(`/serve/${name}/hello?a=b`);
  expect((await app.inject(`/serve/${name}/out`)).headers.location).toBe("/serve/x");
  expect((await app.inject("/serve/link-x")).headers.location).toBe(`/serve/${name}/nested`);
  expect((await app.inject("/serve/file-y")).body).toBe("y");
  expect((await app.inject("/serve/file-y/z")).statusCode).toBe(404);
  expect((await app.inject("/serve/unknown")).statusCode).toBe(404);
  store.roots.set("odd-q?x", root);
  expect((await app.inject("/serve/odd/hello")).headers.location).toBe("/serve/odd-q%3Fx/hello");
  expect((await app.inject("/serve/odd-q%3Fx/hello")).body).toBe("hello, world\n");
  for (const name of ["..tar", "...zip"]) expect((await app.inject(`/serve/${name}`)).statusCode).toBe(404);
});

test("a directory can be had as an archive", async () => {
  const { store, root, base } = await complicated();
  store.roots.set("abc-x", root);
  const app = store.app();
  for (const url of [`${base}.tar`, `${base}/?format=tar`, "/serve/abc-x.tar", "/serve/abc-x?format=tar"]) {
    const { rawPayload, headers } = await app.inject(url);
    expect(headers["content-type"]).toBe("application/x-tar");
    const unpacked = await ingestTar(rawPayload, store);
    const top = unpacked.type === "directory" ? await store.directoryService.get(unpacked.digest) : undefined;
    expect(top?.entries.map(({ node }) => node)).toEqual([root]);
  }
  const zip = await app.inject(`${base}/nested.zip`);
  expect(zip.rawPayload.subarray(0, 2).toString()).toBe("PK");
  expect(zip.headers["content-disposition"]).toBe("attachment; filename*=UTF-8''nested.zip");
  expect((await app.inject(`${base}/hello.tar`)).statusCode).toBe(404);
  expect((await app.inject(`${base}/?format=rar`)).statusCode).toBe(400);
  // A file of that name is not taken for an archive.
  const named = await store.directory([
    ["x", root],
    ["x.tar", await store.file("a file")],
  ]);
  expect((await app.inject(`/castore/${named.digest.toHex()}/x.tar`)).body).toBe("a file");
});

test("names are bytes: what is no UTF-8, or means something in a URL or a page, is found", async () => {
  const store = new TestStore();
  const names = [
    Buffer.from([0xff, 0x62]),
    "100%",
    "%41",
    "a?b#c",
    "<script>",
    "…",
    " ",
    "\n",
    "back\\slash",
  ];
  const root = await store.directory(
    await Promise.all(names.map(async (name, index) => [name, await store.file(`${index}`)] as const)),
  );
  const app = store.app();
  const base = `/castore/${root.digest.toHex()}`;
  const page = (await app.inject(base)).body;
  expect(page).not.toContain("<script>");
  const links = [...page.matchAll(/<td><a href="([^"]*)">/g)].map(([, url]) => url as string);
  const contents = await Promise.all(links.map(async (url) => (await app.inject(url)).body));
  expect(contents.sort()).toEqual(names.map((_, index) => `${index}`));
});

test("paths that name nothing are refused, and never lead out", async () => {
  const { store, base } = await complicated();
  const app = store.app();
  await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as { port: number };
  for (const [path, status] of [
    [`${base}/../x`, 400],
    [`${base}/%2e%2e/x`, 400],
    [`${base}/a%00b`, 400],
    [`${base}/a%2Fb`, 400],
    [`${base}/${"x".repeat(256)}`, 400],
    [`${base}//hello`, 200],
    [`/castore/`, 400],
    ["/serve/", 404],
  ] as const) {
    const socket = createConnection(port, "127.0.0.1");
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const [head] = await once(socket, "data");
    socket.destroy();
    expect([path, Number(String(head).slice(9, 12))]).toEqual([path, status]);
  }
});

test("the type of a file without a known end is told by what is in it", async () => {
  const store = new TestStore();
  const app = store.app();
  // A whole name that is the end of others is none.
  const named = await store.directory([
    ["html", await store.file("<script>")],
    [".css", await store.file("x")],
  ]);
  for (const name of ["html", ".css"]) {
    const { headers } = await app.inject(`/castore/${named.digest.toHex()}/${name}`);
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
  }
  const typeOf = async (contents: Uint8Array | string) => {
    const { digest } = await store.file(contents);
    return (await app.inject({ method: "HEAD", url: `/castore/${digest.toHex()}` })).headers["content-type"];
  };
  const text = "text/plain; charset=utf-8";
  expect(await typeOf("#!/bin/sh\n")).toBe(text);
  expect(await typeOf("")).toBe(text);
  // A character that lies across the end of what is looked at.
  for (const shift of [0, 1, 2])
    expect(await typeOf(`${"x".repeat(4094 - shift)}${"…".repeat(10)}`)).toBe(text);
  expect(await typeOf(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0]))).toBe("application/octet-stream");
  expect(await typeOf(Buffer.from([0x61, 0xe2, 0x80]))).toBe("application/octet-stream");
});

test("what is missing from the store is no page that looks whole", async () => {
  const { store, root, base } = await complicated();
  const gone = { read: async () => undefined, has: async () => true } as never;
  const app = store.app({ blobService: gone });
  const url = `${base}/nested/index.html`;
  expect((await app.inject(url)).statusCode).toBe(500);
  const { etag } = (await store.app().inject(url)).headers;
  for (const request of [{ method: "HEAD" }, { headers: { "if-none-match": etag } }] as const) {
    expect((await store.app().inject({ url, ...request })).statusCode).toBeLessThan(400);
    expect((await app.inject({ url, ...request })).statusCode).toBe(500);
  }
  const empty = store.app({
    directoryService: { get: async () => undefined } as never,
    findRoot: async (name) => ({ name, node: root }),
  });
  expect((await empty.inject("/serve/x/hello")).statusCode).toBe(500);
});
