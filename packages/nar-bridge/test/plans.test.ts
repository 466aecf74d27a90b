import { once } from "node:events";
import { connect } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { NarEntry } from "@tvix/nar";
import { expect, test } from "vitest";
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
  expect((await expectWhole(cache, one)).equals(before)).toBe(true);
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
