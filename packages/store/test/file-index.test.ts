import {
  CastorePath,
  Directory,
  MemoryRecordStore,
  type Node,
  openRecordStore,
  PathComponent,
} from "@tvix/castore";
import { StorePath } from "@tvix/nix-compat";
import { collectStore, forgetPath } from "@tvix/store/collect";
import { BackgroundFileIndexing, FileIndex, RecordPathInfoService } from "@tvix/store/records";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { Client, countRecords } from "./collect/world.ts";

import { FILE, isNode, LINK, openIndex, PROGRAM, removePath, type Tree } from "./indexed-store.ts";

test("files are found by their names, and by ends of their paths, in whichever paths they are", async () => {
  const store = openIndex();
  await store.put(1, { bin: { hello: PROGRAM, "hello.sh": LINK }, share: { hello: { "a b": FILE } } });
  await store.put(2, { hello: FILE, "caf\xe9": FILE, sbin: { hello: PROGRAM } });
  await store.put(3, FILE);
  await store.indexing.flush();
  expect(await store.find("hello")).toEqual([
    "path-1/bin/hello",
    "path-1/share/hello",
    "path-2/hello",
    "path-2/sbin/hello",
  ]);
  expect(await store.find("bin/hello")).toEqual(["path-1/bin/hello"]);
  expect(await store.find("share/hello/a b")).toEqual(["path-1/share/hello/a b"]);
  expect(await store.find("caf\xe9")).toEqual(["path-2/caf\xe9"]);
  expect(await store.find("hell")).toEqual([]);
  expect(await store.find("")).toEqual([]);
  const { files = [] } = (await store.index.find({ path: CastorePath.parse("bin/hello"), size: 1 })) ?? {};
  expect(files).toMatchObject([{ type: "executable", size: 2n ** 60n }]);
  expect(store.failures).toEqual([]);
});

test("pages join to what one page has; what is no end of a page is told", async () => {
  const store = openIndex();
  for (let number = 1; number <= 20; number++) await store.put(number, { a: { x: FILE }, x: FILE });
  await store.indexing.flush();
  const all = await store.find("x");
  expect(all).toHaveLength(40);
  expect(await store.find("x", 1)).toEqual(all);
  expect(await store.find("x", 7)).toEqual(all);
  const query = { path: CastorePath.parse("x"), size: 1 };
  expect((await store.index.find(query))?.files).toHaveLength(1);
  for (const after of ["", "zz", "00".repeat(32), `${"00".repeat(31)}-1`, `${"00".repeat(32)}-x`])
    expect(await store.index.find({ ...query, after })).toBeUndefined();
});

test("what a search finds is what a walk through the trees finds", async () => {
  const name = fc.constantFrom("a", "b", "a.b", "\xff", "long name");
  const { tree } = fc.letrec<{ tree: Tree; entry: Tree | Node }>((tie) => ({
    tree: fc.dictionary(name, tie("entry"), { maxKeys: 4 }),
    entry: fc.oneof({ depthSize: "small" }, fc.constantFrom(FILE, PROGRAM, LINK), tie("tree")),
  }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(tree, { maxLength: 4 }),
      fc.array(name, { minLength: 1, maxLength: 2 }),
      async (trees, names) => {
        const store = openIndex();
        const expected: string[] = [];
        for (const [number, one] of trees.entries()) {
          await store.put(number, one);
          const walk = (level: Tree, at: readonly string[]) => {
            for (const [entry, below] of Object.entries(level)) {
              const path = [...at, entry];
              if (path.slice(-names.length).join("/") === names.join("/"))
                expected.push(`path-${number}/${path.join("/")}`);
              if (!isNode(below)) walk(below, path);
            }
          };
          walk(one, []);
        }
        await store.indexing.flush();
        expect((await store.find(names.join("/"), 2)).sort()).toEqual(expected.sort());
        await store.indexing.close();
      },
    ),
    { numRuns: 200 },
  );
});

test("a tree of any size is indexed in parts", async () => {
  const store = openIndex();
  const folders = Object.fromEntries(
    Array.from({ length: 8000 }, (_, index) => [
      `folder ${index}`,
      { default: FILE, [`only ${index}`]: LINK },
    ]),
  );
  await store.put(1, { many: folders });
  await store.indexing.flush();
  expect(await store.find("default", 100)).toHaveLength(8000);
  expect(await store.find("default", 1000)).toEqual(await store.find("default", 7000));
  expect(await store.find("only 7999")).toEqual(["path-1/many/folder 7999/only 7999"]);
  const counts = await countRecords(store.records);
  expect(counts).toMatchObject({ "~i1": 1 });
  expect(counts["~j1"]).toBeGreaterThan(2);
  for await (const [, value] of store.records.entries({ prefix: Buffer.from("~k1") })) {
    expect(value.length).toBeLessThan(80_000);
  }
});

test("nothing is told of what a path has no more", async () => {
  const store = openIndex();
  const before = await store.put(1, { old: FILE, both: FILE });
  await store.indexing.flush();
  await store.put(1, { new: FILE, both: LINK });
  await store.indexing.flush();
  expect(await store.find("old")).toEqual([]);
  expect(await store.find("new")).toEqual(["path-1/new"]);
  expect(await store.find("both")).toEqual(["path-1/both"]);
  await store.put(1, before.node);
  expect(await store.find("new")).toEqual([]);
  expect(await store.find("old")).toEqual(["path-1/old"]);
});

test("what others have stored is found at the next start, and what was begun is ended", async () => {
  const store = openIndex();
  await store.put(1, { x: FILE }, store.pathInfos as never);
  await store.put(2, { x: FILE, y: { x: LINK } });
  await store.indexing.flush();
  // As a process leaves it that dies in between.
  for await (const [key] of store.records.entries({ prefix: Buffer.from("~i1") })) {
    await store.records.write([{ type: "put", key, value: new Uint8Array(16) }]);
  }
  for await (const [key] of store.records.entries({ prefix: Buffer.from("~k1y") })) {
    await store.records.write([{ type: "del", key }]);
  }
  expect(await store.find("y")).toEqual([]);
  await store.open().flush();
  expect(await store.find("x")).toEqual(["path-1/x", "path-2/x", "path-2/y/x"]);
  expect(await store.find("y")).toEqual(["path-2/y"]);
});

test("the index is derived: without its records it is made again", async () => {
  const store = openIndex();
  for (let number = 1; number <= 3; number++) await store.put(number, { x: FILE });
  await store.indexing.flush();
  for await (const [key] of store.records.entries({ prefix: Buffer.from("~") })) {
    await store.records.write([{ type: "del", key }]);
  }
  expect(await store.find("x")).toEqual([]);
  await store.open().flush();
  expect(await store.find("x")).toHaveLength(3);
});

test("a damaged record tells nothing, and others are told; a tree that is not whole is tried again", async () => {
  const store = openIndex();
  const { records } = store;
  await store.put(1, { x: FILE });
  await store.put(2, { x: FILE });
  await store.indexing.flush();
  for await (const [key, value] of records.entries({ prefix: Buffer.from("~k1x") })) {
    await records.write([
      { type: "put", key, value: value.map((byte, index) => (index === 0 ? byte ^ 1 : byte)) },
    ]);
    break;
  }
  expect(await store.find("x")).toEqual(["path-2/x"]);
  await store.open().flush();
  expect(await store.find("x")).toEqual(["path-1/x", "path-2/x"]);
  const missing = Directory.of([
    { name: PathComponent.from("x"), node: FILE },
    { name: PathComponent.from("z"), node: FILE },
  ]);
  await store.put(3, { type: "directory", digest: missing.digest(), size: missing.size() }).catch(() => {});
  await store.indexing.flush();
  expect(store.failures).toMatchObject([{ code: "INCOMPLETE" }]);
  expect(await store.find("z")).toEqual([]);
  await store.directories.putMany([missing]);
  await store.open().flush();
  expect(await store.find("z")).toEqual(["path-3/z"]);
});

test("a collection and forget remove what is recorded of paths that go", async () => {
  const client = await Client.of(new MemoryRecordStore());
  const { records } = client;
  const kept = await client.putPath(1, [1, 2]);
  const gone = await client.putPath(2, [2, 3]);
  const forgotten = await client.putPath(3, [4]);
  const { directoryService } = await openRecordStore(records);
  const indexing = new BackgroundFileIndexing({ records, directoryService });
  onTestFinished(() => indexing.close());
  await indexing.flush();
  expect(await countRecords(records)).toMatchObject({ "~i1": 3, "~j1": 3, "~k1": 3 + 2 + 2 + 1 });
  await forgetPath(client.parts, forgotten.storePath);
  expect(await countRecords(records)).toMatchObject({ "~i1": 2, "~j1": 2, "~k1": 2 + 2 + 2 });
  await removePath(records, gone.storePath);
  for (let look = 0; look < 2; look++) await collectStore(client.parts, { graceMs: 0 });
  expect(await countRecords(records)).toMatchObject({ "~i1": 1, "~j1": 1, "~k1": 3 });
  const index = new FileIndex(records, new RecordPathInfoService(records));
  const found = await index.find({ path: CastorePath.parse("file 2"), size: 10 });
  expect(found?.files.map(({ info: { storePath } }) => storePath)).toEqual([kept.storePath]);
});

test("what went is removed also where its contents are those of another path", async () => {
  const client = await Client.of(new MemoryRecordStore());
  const { records } = client;
  await client.putPath(1, [1]);
  const { storePath } = await client.putPath(2, [1]);
  const { directoryService } = await openRecordStore(records);
  const indexing = new BackgroundFileIndexing({ records, directoryService });
  onTestFinished(() => indexing.close());
  await indexing.flush();
  await removePath(records, storePath);
  await collectStore(client.parts, { graceMs: 0 });
  expect(await countRecords(records)).toMatchObject({ "~i1": 1, "~j1": 1, "~k1": 2 });
});

test("a tree of too many entries has none in the index, keeps nobody waiting, and is not begun again", async () => {
  const store = openIndex(undefined, undefined, 1000);
  // Ten levels of two directories that are the same: 2^10 files in 11 directories.
  let tree: Tree = { file: FILE };
  for (let level = 0; level < 10; level++) tree = { a: tree, b: tree };
  await store.put(1, tree);
  await store.put(2, { file: FILE });
  await store.indexing.flush();
  expect(await store.find("file")).toEqual(["path-2/file"]);
  expect(await countRecords(store.records)).toMatchObject({ "~i1": 2, "~j1": 1, "~k1": 1 });
  const before = await Array.fromAsync(store.records.entries({ prefix: Buffer.from("~i1") }));
  await store.open().flush();
  expect(await Array.fromAsync(store.records.entries({ prefix: Buffer.from("~i1") }))).toEqual(before);
});

test("parts that nothing leads to any more go, and those of a path that is there are made again", async () => {
  const store = openIndex();
  await store.put(1, { x: FILE });
  await store.put(2, { x: FILE });
  await store.indexing.flush();
  for await (const [key] of store.records.entries({ prefix: Buffer.from("~i1") })) {
    await store.records.write([{ type: "del", key }]);
  }
  await removePath(store.records, StorePath.from(new Uint8Array(20).fill(1), "path-1"));
  const { parts } = await Client.of(store.records);
  await collectStore(parts, { graceMs: 0 });
  expect(await countRecords(store.records)).not.toHaveProperty("~k1");
  await store.open().flush();
  expect(await store.find("x")).toEqual(["path-2/x"]);
});

test("forget removes what is recorded of all contents that a path has had", async () => {
  const records = new MemoryRecordStore();
  const store = openIndex(records, (await openRecordStore(records)).directoryService);
  await store.put(1, { before: FILE });
  await store.indexing.flush();
  const { storePath } = await store.put(1, { after: FILE });
  await store.indexing.flush();
  expect(await countRecords(records)).toMatchObject({ "~i1": 2, "~k1": 2 });
  const { parts } = await Client.of(records);
  await forgetPath(parts, storePath);
  for (const table of ["~i1", "~j1", "~k1"]) {
    expect(await Array.fromAsync(records.entries({ prefix: Buffer.from(table) }))).toEqual([]);
  }
});

test("a part whose names are damaged goes with its files", async () => {
  const store = openIndex();
  await store.put(1, { x: FILE, y: FILE });
  await store.indexing.flush();
  for await (const [key] of store.records.entries({ prefix: Buffer.from("~j1") })) {
    await store.records.write([{ type: "put", key, value: new Uint8Array(9) }]);
  }
  await removePath(store.records, StorePath.from(new Uint8Array(20).fill(1), "path-1"));
  const { parts } = await Client.of(store.records);
  await collectStore(parts, { graceMs: 0 });
  for (const table of ["~i1", "~j1", "~k1"]) {
    expect(await Array.fromAsync(store.records.entries({ prefix: Buffer.from(table) }))).toEqual([]);
  }
});
