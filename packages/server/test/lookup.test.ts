import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { StorePath } from "@tvix/nix-compat";
import { LookupService } from "@tvix/protocol/lookup";
import { parsePathInfo } from "@tvix/store";
import { PathInfoPages } from "@tvix/store/records";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { fill, PATH } from "./stored-path.ts";
import { endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";
import { wholeServer } from "./whole-server.ts";

const NUMBER = 250;

/** A server with many paths that have the same contents. */
async function filledServer() {
  const { services, store, url } = await wholeServer();
  await fill(services);
  const info = await services.pathInfoService.get(PATH.digest);
  if (info === undefined) throw new Error("it was stored");
  const paths = Array.from({ length: NUMBER }, (_, index) =>
    StorePath.from(
      new Uint8Array(20).map((__, at) => (index * 31 + at * 7) & 255),
      `${index % 10 === 0 ? "Even-Ten" : "other"}-${index}`,
    ),
  );
  for (const storePath of paths) await services.pathInfoService.put({ ...info, storePath });
  const transport = createGrpcTransport({ url });
  onTestFinished(() => transport.close());
  return { client: createClient(LookupService, transport), paths, store, url };
}

async function all(
  client: Client<typeof LookupService>,
  request: Parameters<typeof client.list>[0],
): Promise<string[]> {
  const found: string[] = [];
  let pageToken = "";
  do {
    const { pathInfos, nextPageToken } = await client.list({ ...request, pageToken });
    found.push(...pathInfos.map((info) => parsePathInfo(info).storePath.toString()));
    pageToken = nextPageToken;
  } while (pageToken !== "");
  return found;
}

test("many paths are looked up in one call", async () => {
  const { client, paths } = await filledServer();
  const absent = new Uint8Array(20).fill(255);
  const pathDigests = [absent, ...paths.map(({ digest }) => digest), absent];
  const has = await client.hasMany({ pathDigests });
  expect(has.pathDigests.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(
    paths.map(({ digest }) => Buffer.from(digest).toString("hex")),
  );
  const infos = await Array.fromAsync(
    client.getMany({ pathDigests }),
    ({ pathInfo }) => pathInfo && parsePathInfo(pathInfo).storePath.toString(),
  );
  expect(infos).toEqual(paths.map(String));
  await expect(client.hasMany({ pathDigests: [new Uint8Array(19)] })).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
  await expect(client.hasMany({ pathDigests: Array(10_001).fill(absent) })).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
  expect((await client.hasMany({})).pathDigests).toEqual([]);
});

test("path infos are listed page by page, of a beginning or with a part of the name", async () => {
  const { paths, store } = await filledServer();
  const pages = new PathInfoPages(store.database);
  const all = async (request: Omit<Parameters<typeof pages.page>[0], "after">) => {
    const found: string[] = [];
    let after: Uint8Array | undefined;
    do {
      const page = await pages.page({ ...request, after });
      expect(page.infos.length).toBeLessThanOrEqual(request.size);
      found.push(...page.infos.map(({ storePath }) => storePath.toString()));
      after = page.next;
    } while (after !== undefined);
    return found.sort();
  };
  const expected = [...paths, PATH].map(String).sort();
  for (const size of [1, 7, 250, 251, 1000]) expect(await all({ size })).toEqual(expected);
  expect(await all({ size: 7, nameContains: "even-t" })).toEqual(
    expected.filter((name) => name.includes("Even-Ten")),
  );
  const first = expected[0]?.slice(0, 2) as string;
  expect(await all({ size: 7, digestPrefix: first })).toEqual(
    expected.filter((name) => name.startsWith(first)),
  );
});

test("a daemon lists what it keeps; another server says that it keeps none; wrong requests are told what is wrong", async () => {
  const { client: keepsNone } = await filledServer();
  for (const call of [keepsNone.list({}), keepsNone.listNewest({}), keepsNone.listFigures({})]) {
    await expect(call).rejects.toMatchObject({ code: Code.Unimplemented });
  }
  const folder = await temporaryDirectory();
  const daemon = await startDaemon(join(folder, "data"));
  const names = ["a.txt", "b.txt", "c.txt"];
  for (const name of names) await writeFile(join(folder, name), name);
  await tvixStore("import", ...names.map((name) => join(folder, name)), ...daemon.options);
  const transport = createGrpcTransport({ url: daemon.url });
  onTestFinished(() => transport.close());
  const client = createClient(LookupService, transport);
  expect((await all(client, { pageSize: 2 })).map((name) => name.slice(33)).sort()).toEqual(names);
  expect(await all(client, { nameContains: "B.T" })).toEqual([expect.stringMatching(/-b\.txt$/)]);
  for (const request of [
    { digestPrefix: "E" },
    { pageSize: 1001 },
    { pageToken: "x" },
    { nameContains: "x".repeat(212) },
  ]) {
    await expect(client.list(request)).rejects.toMatchObject({ code: Code.InvalidArgument });
  }
});

test("a daemon tells what came last, and what it has; also of what came before it, in another process", async () => {
  const folder = await temporaryDirectory();
  const data = join(folder, "data");
  const started = Date.now();
  for (const name of ["a", "b", "c", "d"]) await writeFile(join(folder, name), name.repeat(1000));
  await tvixStore("import", join(folder, "a"), "--data", data);
  await tvixStore("import", join(folder, "b"), "--data", data);
  const daemon = await startDaemon(data);
  const transport = createGrpcTransport({ url: daemon.url });
  onTestFinished(() => transport.close());
  const client = createClient(LookupService, transport);
  await tvixStore("import", join(folder, "c"), ...daemon.options);
  // It has come before.
  await tvixStore("import", join(folder, "a"), ...daemon.options);
  const newest = async (count: number) =>
    (await client.listNewest({ count })).paths.map(({ pathInfo, timeMillis }) => {
      expect(Number(timeMillis)).toBeGreaterThanOrEqual(started);
      return pathInfo && parsePathInfo(pathInfo).storePath.name;
    });
  expect(await newest(0)).toEqual(["c", "b", "a"]);
  expect(await newest(2)).toEqual(["c", "b"]);
  await expect(client.listNewest({ count: 1001 })).rejects.toMatchObject({ code: Code.InvalidArgument });
  const counted = { paths: 3n, chunks: 3n, chunkBytes: 3000n, directories: 0n, blobs: 0n };
  expect((await client.listFigures({})).figures).toMatchObject([counted]);
  // It is counted once a day.
  const { stdout } = await tvixStore("import", join(folder, "d"), ...daemon.options);
  expect((await client.listFigures({})).figures).toMatchObject([counted]);
  expect(await newest(1)).toEqual(["d"]);
  await endDaemon(daemon, "SIGTERM");
  expect((await tvixStore("forget", stdout.trim(), "--data", data)).status).toBe(0);
  const again = createGrpcTransport({ url: (await startDaemon(data)).url });
  onTestFinished(() => again.close());
  const { paths } = await createClient(LookupService, again).listNewest({ count: 1 });
  expect(paths.map(({ pathInfo }) => pathInfo && parsePathInfo(pathInfo).storePath.name)).toEqual(["c"]);
});
