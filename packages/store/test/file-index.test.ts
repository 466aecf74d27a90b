import {
  B3Digest,
  CastorePath,
  Directory,
  type DirectoryService,
  MemoryDirectoryService,
  MemoryRecordStore,
  type Node,
  openRecordStore,
  PathComponent,
  type RecordStore,
  SymlinkTarget,
} from "@tvix/castore";
import { StorePath } from "@tvix/nix-compat";
import type { PathInfo } from "@tvix/store";
import { collectStore, forgetPath } from "@tvix/store/collect";
import {
  BackgroundFileIndexing,
  FileIndex,
  FileIndexingPathInfoService,
  PATH_INFOS,
  RecordPathInfoService,
} from "@tvix/store/records";
import { fixtures } from "@tvix/store/testing";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { Client, countRecords } from "./collect/world.ts";

/** Entries of a directory by their names, each byte a character. */
type Tree = { readonly [name: string]: Tree | Node };

const EMPTY = B3Digest.of(new Uint8Array(0));
const FILE: Node = { type: "file", digest: EMPTY, size: 0n, executable: false };
const PROGRAM: Node = { type: "file", digest: EMPTY, size: 2n ** 60n, executable: true };
const LINK: Node = { type: "symlink", target: SymlinkTarget.from("elsewhere") };

const isNode = (tree: Tree | Node): tree is Node => typeof (tree as Node).type === "string";

async function putTree(directories: DirectoryService, tree: Tree): Promise<Node> {
  const made: Directory[] = [];
  const make = (level: Tree): Node => {
    const entries = Object.entries(level).map(([name, below]) => {
      const node = isNode(below) ? below : make(below);
      return { name: PathComponent.from(Buffer.from(name, "latin1")), node };
    });
    const directory = Directory.of(entries);
    made.push(directory);
    return { type: "directory", digest: directory.digest(), size: directory.size() };
  };
  const root = make(tree);
  await directories.putMany(made);
  return root;
}

function openIndex(
  records = new MemoryRecordStore(),
  directories: DirectoryService = new MemoryDirectoryService(),
  maxEntries?: number,
) {
  const pathInfos = new RecordPathInfoService(records);
  const failures: unknown[] = [];
  const open = () => {
    const services = { records, directoryService: directories, maxEntries };
    const indexing = new BackgroundFileIndexing(services, (error) => void failures.push(error));
    onTestFinished(() => indexing.close());
    return indexing;
  };
  const indexing = open();
  const noted = new FileIndexingPathInfoService(pathInfos, indexing);
  const index = new FileIndex(records, pathInfos);
  return {
    records,
    directories,
    pathInfos,
    noted,
    indexing,
    failures,
    index,
    open,
    async put(number: number, tree: Tree | Node, service = noted): Promise<PathInfo> {
      const node = isNode(tree) ? tree : await putTree(directories, tree);
      const digest = new Uint8Array(20).fill(number);
      const storePath = StorePath.from(digest, `path-${number}`);
      return await service.put({ ...fixtures.fullPathInfo(1), storePath, references: [], node });
    },
    /** `path-number/place` of all that is found, page by page. */
    async find(name: string, size = 1000): Promise<string[]> {
      const found: string[] = [];
      for (let after: string | undefined; ; ) {
        const path = CastorePath.parse(Buffer.from(name, "latin1"));
        const page = await index.find({ path, size, after });
        if (page === undefined) throw new Error("no such page");
        found.push(
          ...page.files.map(
            (file) => `${file.info.storePath.name}/${Buffer.from(file.path).toString("latin1")}`,
          ),
        );
        if (page.next === undefined) return found;
        after = page.next;
      }
    },
  };
}

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

/** Records whose calls take some turns of the event loop, more or fewer each time. */
class SlowRecords extends MemoryRecordStore {
  readonly #turns: () => number;

  constructor(turns: () => number) {
    super();
    this.#turns = turns;
  }

  async #wait(): Promise<void> {
    for (let turn = this.#turns(); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
  }

  override async get(key: Uint8Array) {
    await this.#wait();
    return await super.get(key);
  }

  override async write(...args: Parameters<MemoryRecordStore["write"]>) {
    await this.#wait();
    return await super.write(...args);
  }
}

test("whatever comes and goes while it is indexed and collected, what is there is found, and nothing else is left", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.infiniteStream(fc.nat(6)),
      fc.array(fc.nat(3), { maxLength: 12 }),
      async (delays, steps) => {
        const records = new SlowRecords(() => delays.next().value as number);
        const store = openIndex(records);
        const other = store.open();
        const tree = {
          x: FILE,
          many: Object.fromEntries(Array.from({ length: 5 }, (_, one) => [`${one}`, { x: LINK }])),
        };
        const { parts } = await Client.of(records);
        const digest = new Uint8Array(20).fill(1);
        const storePath = StorePath.from(digest, "path-1");
        const doing = steps.map(async (step) => {
          // It may be refused where its contents went at this moment.
          if (step === 0) await store.put(1, tree).catch(() => {});
          else if (step === 1) await forgetPath(parts, storePath).catch(() => {});
          else if (step === 2) await collectStore(parts, { graceMs: 0 }).catch(() => {});
          else other.note(digest);
        });
        await Promise.all(doing);
        await Promise.all([store.indexing.flush(), other.flush()]);
        const isThere = (await store.pathInfos.get(digest)) !== undefined;
        await store.open().flush();
        expect(await store.find("x")).toHaveLength(isThere ? 6 : 0);
        await removePath(records, storePath);
        await collectStore(parts, { graceMs: 0 });
        for (const table of ["~i1", "~j1", "~k1"]) {
          expect(await Array.fromAsync(records.entries({ prefix: Buffer.from(table) }))).toEqual([]);
        }
        await Promise.all([store.indexing.close(), other.close()]);
      },
    ),
    { numRuns: 100 },
  );
});

/** Records on which something is done once, right before a write that changes a key with this beginning. */
class InterruptedRecords extends MemoryRecordStore {
  interrupt: { readonly type: "put" | "del"; readonly prefix: string; run(): Promise<void> } | undefined;

  override async write(...args: Parameters<MemoryRecordStore["write"]>) {
    const [changes] = args;
    const { interrupt } = this;
    const isMeant = changes.some(
      ({ type, key }) =>
        type === interrupt?.type && Buffer.from(key.subarray(0, 3)).toString() === interrupt.prefix,
    );
    if (isMeant) {
      this.interrupt = undefined;
      await interrupt?.run();
    }
    return await super.write(...args);
  }
}

test.each(["forget", "a collection"])(
  "a path that is put and indexed again in the middle of %s is found",
  async (what) => {
    const records = new InterruptedRecords();
    const store = openIndex(records, (await openRecordStore(records)).directoryService);
    const { storePath } = await store.put(1, { x: FILE });
    await store.indexing.flush();
    const { parts } = await Client.of(records);
    let isPut = false;
    records.interrupt = {
      type: "del",
      prefix: "~j1",
      async run() {
        await store.put(1, { x: FILE });
        await store.indexing.flush();
        isPut = true;
      },
    };
    if (what === "forget") await forgetPath(parts, storePath);
    else {
      await removePath(records, storePath);
      await collectStore(parts, { graceMs: 0 });
    }
    expect(isPut).toBe(true);
    await store.open().flush();
    expect(await store.find("x")).toEqual(["path-1/x"]);
  },
);

test("what is forgotten in the middle of being indexed leaves nothing", async () => {
  const records = new InterruptedRecords();
  const store = openIndex(records, (await openRecordStore(records)).directoryService);
  const { parts } = await Client.of(records);
  let isForgotten = false;
  records.interrupt = {
    type: "put",
    prefix: "~j1",
    async run() {
      await forgetPath(parts, StorePath.from(new Uint8Array(20).fill(1), "path-1"));
      isForgotten = true;
    },
  };
  await store.put(1, { secret: FILE });
  await store.indexing.flush();
  expect(isForgotten).toBe(true);
  for (const table of ["~i1", "~j1", "~k1"]) {
    expect(await Array.fromAsync(records.entries({ prefix: Buffer.from(table) }))).toEqual([]);
  }
});

/** As a collection does with one that nobody keeps, and nothing else. */
async function removePath(records: RecordStore, { digest }: StorePath): Promise<void> {
  await records.write([PATH_INFOS.remove(digest)]);
}
