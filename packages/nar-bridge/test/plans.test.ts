import { once } from "node:events";
import { connect } from "node:net";
import { setImmediate } from "node:timers/promises";
import { CastoreError } from "@tvix/castore";
import type { NarEntry } from "@tvix/nar";
import { encodeNamelessNode } from "@tvix/store";
import { expect, test, vi } from "vitest";
import { type RunningCache, startCache } from "./running-cache.ts";
import { noise, type Sample, sample, text, treeEntries, upload } from "./samples.ts";
import { tool } from "./tools.ts";

/** Files enough for a plan of several segments: short ones, and some of several chunks. */
function manyFiles(): readonly NarEntry[] {
  const files = Array.from({ length: 1500 }, (_, index): NarEntry => {
    const contents =
      index % 500 === 7 ? noise(900_000, index) : text(`${index} of many `.repeat(index % 400));
    const name = text(`file-${String(index).padStart(5, "0")}`);
    return { type: "file", name, executable: false, size: contents.length, contents };
  });
  return [{ type: "directory", name: text("") }, ...files, { type: "end" }];
}

const PLANS = text("~y1");

async function segmentsOf({ store }: RunningCache): Promise<(readonly [Uint8Array, Uint8Array])[]> {
  return await Array.fromAsync(store.database.entries({ prefix: PLANS }));
}

async function bodyOf(cache: RunningCache, file: string): Promise<Buffer> {
  const response = await fetch(`${cache.url}/nar/${file}`, { headers: { "accept-encoding": "identity" } });
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

/** Fetches a NAR in both forms. */
async function expectWhole(cache: RunningCache, { nar, digits }: Sample): Promise<Buffer> {
  expect((await bodyOf(cache, `${digits}.nar`)).equals(nar)).toBe(true);
  const zstd = await bodyOf(cache, `${digits}.nar.zst`);
  expect(tool("zstd", "-dc")(zstd).equals(nar)).toBe(true);
  return zstd;
}

test("whatever becomes of a plan, the NAR is the same, and the plan is made again", async () => {
  const cache = await startCache();
  const { database } = cache.store;
  const one = await sample(manyFiles());
  await upload(cache.url, one);
  const zstd = await expectWhole(cache, one);
  const whole = await segmentsOf(cache);
  expect(whole.length).toBeGreaterThan(2);
  for (const index of [0, 1, whole.length - 1]) {
    const [key, value] = whole[index] as readonly [Uint8Array, Uint8Array];
    await database.write([{ type: "del", key }]);
    expect((await expectWhole(cache, one)).equals(zstd)).toBe(true);
    expect(await segmentsOf(cache)).toEqual(whole);

    const damaged = value.slice();
    damaged[damaged.length >> 1] = ~(damaged[damaged.length >> 1] as number);
    await database.write([{ type: "put", key, value: damaged }]);
    expect((await expectWhole(cache, one)).equals(zstd)).toBe(true);
    expect(await segmentsOf(cache)).toEqual(whole);
  }
});

test("a plan is used: directories are not looked up for what is sent", async () => {
  const cache = await startCache();
  const one = await sample(treeEntries(8));
  await upload(cache.url, one);
  await expectWhole(cache, one);
  cache.store.directoryService.get = async () => {
    throw new Error("a directory was looked up");
  };
  await expectWhole(cache, one);
});

test("what was put elsewhere since the plan was made is found there", async () => {
  const cache = await startCache();
  const one = await sample(manyFiles());
  await upload(cache.url, one);
  const before = await expectWhole(cache, one);
  // All that is wanted of the only pack moves to another one.
  const { retired } = await cache.store.compact({ extents: new Set([1]) });
  expect(retired).toBe(1);
  const planned = await segmentsOf(cache);
  expect((await expectWhole(cache, one)).equals(before)).toBe(true);
  // The plan was out of date, and was made anew.
  expect((await segmentsOf(cache)).map(([key]) => key)).toEqual(planned.map(([key]) => key));
  expect(await segmentsOf(cache)).not.toEqual(planned);
  const readStored = vi.spyOn(cache.store.storedBlobs, "readStored");
  expect((await expectWhole(cache, one)).equals(before)).toBe(true);
  expect(readStored).not.toHaveBeenCalled();
});

test("who asks for a node that may be made up keeps no plan, nor who asks for a part, or a length", async () => {
  const cache = await startCache({ compression: "none" });
  const one = await sample(treeEntries(11));
  await upload(cache.url, one);
  const { node } = (await cache.narIndex.get(one.hash)) ?? {};
  if (node === undefined) throw new Error("an upload that is not known");
  const name = Buffer.from(encodeNamelessNode(node)).toString("base64url");
  const url = `${cache.url}/nar/tvix-castore/${name}?narsize=${one.nar.length}`;
  const body = await (await fetch(url, { headers: { "accept-encoding": "identity" } })).arrayBuffer();
  expect(Buffer.from(body).equals(one.nar)).toBe(true);
  const part = await fetch(`${cache.url}/nar/${one.digits}.nar.zst`, { headers: { range: "bytes=5-9" } });
  expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 5]);
  await fetch(`${cache.url}/nar/${one.digits}.nar`, { method: "HEAD" });
  expect(await segmentsOf(cache)).toEqual([]);
  await expectWhole(cache, one);
  expect((await segmentsOf(cache)).length).toBe(1);
});

test("when one NAR proves damaged, what is known of the others holds", async () => {
  const cache = await startCache();
  const [one, other] = [await sample(treeEntries(12)), await sample(treeEntries(13))];
  for (const each of [one, other]) await upload(cache.url, each);
  await expectWhole(cache, other);
  const lengths = await Array.fromAsync(cache.store.database.entries({ prefix: text("~z2") }));
  const { node } = (await cache.narIndex.get(one.hash)) ?? {};
  if (node === undefined) throw new Error("an upload that is not known");
  cache.store.storedBlobs.readManyStored = async () => {
    throw new CastoreError("CORRUPT", "a chunk is damaged");
  };
  const failed = fetch(`${cache.url}/nar/${one.digits}.nar.zst`).then((response) => response.arrayBuffer());
  await failed.catch(() => undefined);
  const left = await Array.fromAsync(cache.store.database.entries({ prefix: text("~z2") }));
  expect(left.length).toBe(lengths.length - 1);
  cache.store.directoryService.get = async () => {
    throw new Error("a directory was looked up");
  };
  expect((await bodyOf(cache, `${other.digits}.nar`)).equals(other.nar)).toBe(true);
});

test("syntax that ends a part just in front of a file", async () => {
  const link = (index: number, length: number): NarEntry => ({
    type: "symlink",
    name: text(`link-${String(index).padStart(3, "0")}`),
    target: text("x".repeat(length)),
  });
  const file: NarEntry = { type: "file", name: text("z"), executable: false, size: 1, contents: text("!") };
  const tree = (lengths: readonly number[]): readonly NarEntry[] => [
    { type: "directory", name: text("") },
    ...lengths.map((length, index) => link(index, length)),
    file,
    { type: "end" },
  ];
  const lengths = [...Array.from({ length: 16 }, () => 3000), 8];
  /** Where the contents of the file begin: "!", padding and the ends of file, entry and root follow. */
  const placeOf = (nar: Uint8Array) => Buffer.from(nar).lastIndexOf("!");
  const shorter = placeOf((await sample(tree(lengths))).nar);
  const missing = 65_536 - shorter;
  // What one more link takes, beside its target.
  const around = placeOf((await sample(tree([...lengths, 8]))).nar) - shorter - 8;
  const links = Math.ceil(missing / (around + 4000));
  const rest = missing - links * around;
  const more = Array.from({ length: links }, (_, index) =>
    index === 0 ? rest - 8 * Math.floor(rest / links / 8) * (links - 1) : 8 * Math.floor(rest / links / 8),
  );
  const one = await sample(tree([...lengths, ...more]));
  expect(placeOf(one.nar)).toBe(65_536);
  const cache = await startCache();
  await upload(cache.url, one);
  await expectWhole(cache, one);
});

test("many slow readers at once, some of whom leave, get the right bytes: memory is used again, not while it is sent", async () => {
  const cache = await startCache();
  const samples = [await sample(manyFiles()), await sample(treeEntries(9, 6_000_000))];
  const files: { readonly file: string; readonly body: Buffer }[] = [];
  for (const one of samples) {
    await upload(cache.url, one);
    files.push({ file: `${one.digits}.nar.zst`, body: await expectWhole(cache, one) });
    files.push({ file: `${one.digits}.nar`, body: Buffer.from(one.nar) });
  }
  const readers = Array.from({ length: 24 }, async (_, index) => {
    const { file, body } = files[index % files.length] as (typeof files)[number];
    const leavesAt = index % 3 === 2 ? body.length >> 1 : Number.POSITIVE_INFINITY;
    const received = await readSlowly(cache.url, `/nar/${file}`, leavesAt);
    const length = Math.min(received.length, body.length);
    expect(received.subarray(0, length).equals(body.subarray(0, length))).toBe(true);
    if (leavesAt === Number.POSITIVE_INFINITY) expect(received.length).toBe(body.length);
  });
  await Promise.all(readers);
});

/** The body of an answer, read in small pieces with turns for others in between. */
async function readSlowly(url: string, path: string, leavesAt: number): Promise<Buffer> {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
  await once(socket, "connect");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of socket) {
    pieces.push(piece);
    length += piece.length;
    // Others have many turns meanwhile, and the server has to wait.
    for (let turns = 0; turns < 20; turns++) await setImmediate();
    if (length > leavesAt) break;
  }
  socket.destroy();
  const whole = Buffer.concat(pieces);
  return whole.subarray(whole.indexOf("\r\n\r\n") + 4);
}
