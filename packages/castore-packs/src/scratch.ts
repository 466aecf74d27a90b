import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Scratch } from "@tvix/castore/backend";
import { Database, databaseFailure } from "@tvix/castore-level";
import { ClassicLevel } from "classic-level";

/** What the folders of scratch records are called, beside those of a store. */
const NAME = /^scratch-[0-9a-f-]{36}$/;

/** Makes empty records in a folder of their own, which are of no use after the process. */
export async function openScratch(path: string): Promise<Scratch> {
  const folder = join(path, `scratch-${randomUUID()}`);
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
    keyEncoding: "view",
    valueEncoding: "view",
  });
  try {
    await level.open();
  } catch (cause) {
    throw databaseFailure(cause);
  }
  const records = new Database(level, { sync: false });
  return {
    records,
    async remove() {
      await records.close();
      try {
        await level.close();
        await rm(folder, { recursive: true, force: true });
      } catch (cause) {
        throw databaseFailure(cause);
      }
    },
  };
}

/** Removes what a process has left that did not come to its end. */
export async function removeScratch(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (NAME.test(name)) await rm(join(path, name), { recursive: true, force: true });
  }
}
