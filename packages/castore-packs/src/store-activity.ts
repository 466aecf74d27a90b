import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** What a store has done since it was opened: counts that only grow. */
export interface StoreActivity {
  /** Bytes of chunks that were put, whether they were there or not. */
  readonly chunkBytesPut: number;
  /** Those of them that were not there. */
  readonly chunkBytesNew: number;
  /** Bytes that these take, compressed. */
  readonly chunkBytesStored: number;
  /** Reads of chunks that were answered from memory, and those that were not. */
  readonly chunkReadsRemembered: number;
  readonly chunkReads: number;
}

/** What a store takes on the disk, in bytes. */
export interface StoreSize {
  readonly packs: number;
  readonly index: number;
  readonly journal: number;
}

/** Where a store counts what it does. */
export class ActivityCounts {
  chunkBytesPut = 0;
  chunkBytesNew = 0;
  chunkBytesStored = 0;
}

/** The lengths of the files of a store, added up. What goes while they are looked at counts as nothing. */
export async function measureStore(path: string): Promise<StoreSize> {
  const folders = ["packs", "index", "journal"].map((name) => sizeOf(join(path, name)));
  const [packs = 0, index = 0, journal = 0] = await Promise.all(folders);
  return { packs, index, journal };
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  let bytes = 0;
  for (const name of names) {
    bytes += await stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
