import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MemoryRecordStore } from "@tvix/castore";
import { IndexedChunkStore } from "@tvix/castore/backend";
import { testChunkStore, testExtents } from "@tvix/castore/testing";
import { Database } from "@tvix/castore-level";
import { PackExtents, type PackExtentsOptions } from "@tvix/castore-packs";
import { ClassicLevel } from "classic-level";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { zstdCodec } from "../src/zstd-codec.ts";
import { ZstdPool } from "../src/zstd-pool.ts";

async function packs(options: PackExtentsOptions) {
  const path = join(await temporaryDirectory(), "packs");
  const extents = await PackExtents.open(path, options);
  const reopen = async () => {
    const again = await PackExtents.open(path, options);
    if (extents.end !== undefined) await again.resume(extents.end);
    return again;
  };
  return { path, extents, reopen };
}

testExtents("packs, with sync", async () => await packs({ sync: true }));
testExtents("packs of 100 KB, without sync", async () => await packs({ sync: false, packBytes: 100_000 }));

/** Changes bytes all over the packs, so that no record is left as it was. */
async function damagePacks(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    const bytes = await readFile(join(path, name));
    for (let at = 60; at < bytes.length; at += 100) bytes[at] = (bytes[at] as number) ^ 1;
    await writeFile(join(path, name), bytes);
  }
}

testChunkStore("records in memory and packs", async () => {
  const records = new MemoryRecordStore();
  const { path, extents } = await packs({ sync: false });
  // Everything lies in packs.
  const open = () => IndexedChunkStore.open({ records, extents, inlineBytes: 0 });
  return {
    chunks: await open(),
    damage: () => damagePacks(path),
    reopen: open,
    close: () => extents.close(),
  };
});

testChunkStore("LevelDB, packs and zstd", async () => {
  const { path, extents } = await packs({ sync: true });
  const level = new ClassicLevel(join(path, "..", "index"));
  const records = new Database(level);
  const pool = new ZstdPool(3, new URL("../dist/zstd-worker.js", import.meta.url));
  // Everything lies in packs, so that all of it is damaged.
  const open = () => IndexedChunkStore.open({ records, extents, codec: zstdCodec(pool), inlineBytes: 0 });
  const close = async () => {
    await pool.close();
    await extents.close();
    await records.close();
    await level.close();
  };
  return { chunks: await open(), damage: () => damagePacks(path), reopen: open, close };
});
