import { appendFile, cp, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

/** The files of a folder whose names end in something, in order; none where there is no folder. */
export async function filesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(folder, name));
}

/** A store as a process leaves it that is killed: what it had open is copied as it is. */
export async function copyAsKilled(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: (path) => !path.endsWith("LOCK") });
}

/** Loses what LevelDB had not flushed: its logs end anywhere. */
export async function cutLogs(path: string, part: number): Promise<void> {
  for (const log of await filesIn(join(path, "index"), ".log")) await shorten(log, part);
}

/** What a process was writing to the journal when it ended. */
export async function tearJournal(path: string, bytes: Uint8Array): Promise<void> {
  const newest = (await filesIn(join(path, "journal"), ".journal")).at(-1);
  if (newest !== undefined) await appendFile(newest, bytes);
}

/** Removes a folder of a store. */
export async function lose(path: string, folder: "index" | "journal"): Promise<void> {
  await rm(join(path, folder), { recursive: true });
}

/** Leaves a part of a file, from 0 to 1. */
export async function shorten(file: string, part: number): Promise<void> {
  const { size } = await stat(file);
  await truncate(file, Math.floor(size * part));
}
