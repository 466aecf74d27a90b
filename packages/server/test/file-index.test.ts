import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";
import { overHttp2, wholeServer } from "./whole-server.ts";

async function importTree(
  files: readonly (string | Buffer)[],
  ...options: readonly string[]
): Promise<string> {
  const tree = join(await temporaryDirectory(), "example");
  await mkdir(join(tree, "lib"), { recursive: true });
  for (const file of files)
    await writeFile(Buffer.concat([Buffer.from(`${tree}/lib/`), Buffer.from(file)]), "123");
  return (await tvixStore("import", tree, ...options)).stdout.trim();
}

interface Page {
  readonly files: readonly Record<string, unknown>[];
  readonly next?: string;
}

const search = async (url: string, query: string) => {
  const response = await fetch(`${url}/index/files?${query}`);
  return { status: response.status, body: await response.text() };
};

const found = async (url: string, query: string): Promise<Page> => {
  const { status, body } = await search(url, query);
  expect([status, body]).toEqual([200, expect.any(String)]);
  return JSON.parse(body);
};

test("a daemon tells which paths have a file of some name: what was there before, and what comes", async () => {
  const data = join(await temporaryDirectory(), "data");
  const before = await importTree(["libstdc++.so", Buffer.from([0x66, 0xff])], "--data", data);
  const daemon = await startDaemon(data, "--file-index");
  expect(await (await fetch(`${daemon.url}/nix-cache-info`)).text()).toContain("\nFileIndex: /index/files\n");
  await expect.poll(async () => (await found(daemon.url, "name=libstdc++.so")).files).toHaveLength(1);
  const after = await importTree(["libstdc++.so", "other"], ...daemon.options);
  await expect.poll(async () => (await found(daemon.url, "name=libstdc%2B%2b.so")).files).toHaveLength(2);
  const { files, next } = await found(daemon.url, "name=lib/libstdc++.so");
  const file = { path: "lib/libstdc++.so", type: "regular", size: 3, executable: false };
  expect(files).toHaveLength(2);
  expect(files).toEqual(
    expect.arrayContaining([
      { ...file, storePath: before },
      { ...file, storePath: after },
    ]),
  );
  expect(next).toBeUndefined();
  const first = await found(daemon.url, "name=libstdc%2B%2B.so&limit=1");
  const second = await found(daemon.url, `name=libstdc%2B%2B.so&limit=1&after=${first.next}`);
  expect([...first.files, ...second.files]).toEqual(files);
  expect((await found(daemon.url, "name=f%ff")).files).toEqual([
    {
      storePath: before,
      path: "lib/f\ufffd",
      pathBase64: "bGliL2b/",
      type: "regular",
      size: 3,
      executable: false,
    },
  ]);
  expect((await found(daemon.url, "name=lib")).files[0]).toMatchObject({ path: "lib", type: "directory" });
  expect((await overHttp2(daemon.url, "/index/files?name=other")).body).toContain(after);
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  expect((await tvixStore("forget", after, "--data", data)).status).toBe(0);
  const again = await startDaemon(data, "--file-index");
  expect((await found(again.url, "name=other")).files).toEqual([]);
  expect((await found(again.url, "name=libstdc++.so")).files).toHaveLength(1);
});

test("what cannot be searched for is told, and where no index is kept as well", async () => {
  const data = join(await temporaryDirectory(), "data");
  const daemon = await startDaemon(data, "--file-index", "--reads", "token");
  expect((await search(daemon.url, "name=x")).status).toBe(401);
  const token = (await tvixStore("token", "create", "--data", data, "--scope", "read", "x")).stdout.trim();
  const headers = { authorization: `Bearer ${token}` };
  const statusOf = async (path: string) => (await fetch(`${daemon.url}${path}`, { headers })).status;
  await expect.poll(() => statusOf("/nix-cache-info")).toBe(200);
  for (const [query, reason] of [
    ["", "name:"],
    ["name=", "name:"],
    ["name=/x", "name:"],
    ["name=a/../b", "name:"],
    ["name=x%00", "name:"],
    ["name=x&limit=0", "limit:"],
    ["name=x&limit=1001", "limit:"],
    ["name=x&limit=x", "limit:"],
    ["name=x&after=00", "after:"],
  ]) {
    const response = await fetch(`${daemon.url}/index/files?${query}`, { headers });
    expect([query, response.status, await response.text()]).toEqual([
      query,
      400,
      expect.stringContaining(`${reason}`),
    ]);
  }
  const { url } = await wholeServer();
  expect(await search(url, "name=x")).toMatchObject({
    status: 404,
    body: expect.stringContaining("--file-index"),
  });
  expect(await (await fetch(`${url}/nix-cache-info`)).text()).not.toContain("FileIndex");
});

test("a store that does not lie in one place is refused", async () => {
  const data = join(await temporaryDirectory(), "data");
  const args = ["daemon", "--data", data, "--file-index", "--blob-service-addr", "memory:"];
  const { status, stderr } = await tvixStore(...args);
  expect([status, stderr]).toEqual([2, expect.stringContaining("--file-index is for a store")]);
});
