import { join } from "node:path";
import { useNativeBlake3 } from "@tvix/blake3-native";
import { CastoreError, InTurn, type RecordChange } from "@tvix/castore";
import { type CompactionOptions, removeExpiredUploads } from "@tvix/castore/backend";
import { databaseFailure } from "@tvix/castore-level";
import { readBackup } from "./backup.ts";
import { writeCleanEnd } from "./clean-end.ts";
import { DiskLimit } from "./disk-limit.ts";
import { Holds } from "./hold.ts";
import type { JournalSnapshot } from "./journal/journal.ts";
import { type OpenIndex, openIndex, REOPEN_BYTES } from "./open-index.ts";
import { PackExtents } from "./pack-extents.ts";
import { prepareStore } from "./prepare-store.ts";
import { openScratch } from "./scratch.ts";
import { serveChunks } from "./serve-chunks.ts";
import { setIndexAside } from "./set-index-aside.ts";
import { measureStore } from "./store-activity.ts";
import { storeIdOf } from "./store-id.ts";
import type { FolderStore, StoreOptions } from "./store-options.ts";

/** How often unfinished uploads are looked for whose lease has expired, in milliseconds. */
const SWEEP_MS = 3_600_000;

/**
 * Opens the store in a folder, and makes it where there is none: LevelDB in `index`, its changes in `journal`, chunks
 * in pack files in `packs`. `docs/storage-format.md` describes them.
 *
 * After a crash nothing needs to be done: what was acknowledged is there. Where all of `index` is
 * missing, it is made again from `journal`; where that is missing as well, the chunks of the packs are indexed anew.
 * Either goes on with the next process when this one ends before.
 *
 * @param path folder of the store
 * @throws CastoreError LOCKED when another process has it open, UNKNOWN_FORMAT when a newer
 *   version wrote it, NOT_A_STORE when there is none and none may be made, CORRUPT when the index
 *   has lost a part, STORAGE_FAILURE when it cannot be read. Where nothing can be written, to a full
 *   disk or a read-only one, it is opened all the same, and what would write fails: NO_SPACE,
 *   STORAGE_FAILURE
 */
export async function openStore(path: string, options: StoreOptions = {}): Promise<FolderStore> {
  if (typeof path !== "string") throw new TypeError("path: expected a string");
  useNativeBlake3();
  const { sync = true, create = true, packBytes = 256 << 20, journalBytes } = options;
  if (options.remakeIndex === true) await setIndexAside(path);
  const limit = diskLimitOf(path, options);
  const admit = limit && ((changes: readonly RecordChange[]) => limit.checkChanges(changes));
  const index = await openIndex(path, { create, sync, journalBytes, admit });
  let extents: PackExtents | undefined;
  try {
    if (index.unwritable !== undefined) {
      options.onNotice?.(`${path}: ${index.unwritable.message}, it is opened for reading`);
    }
    const packs = join(path, "packs");
    extents = await PackExtents.open(packs, { sync, packBytes, recoveryBytes: REOPEN_BYTES });
    await prepareStore(path, index, extents, options);
    await limit?.measure();
    return await serve(path, index, extents, limit, options);
  } catch (error) {
    await extents?.close();
    await index.close();
    throw databaseFailure(error);
  }
}

function diskLimitOf(path: string, { maxDiskBytes }: StoreOptions): DiskLimit | undefined {
  if (maxDiskBytes === undefined) return undefined;
  return new DiskLimit(maxDiskBytes, async () => {
    const { packs, index, journal } = await measureStore(path);
    return packs + index + journal;
  });
}

async function serve(
  path: string,
  index: OpenIndex,
  extents: PackExtents,
  limit: DiskLimit | undefined,
  options: StoreOptions,
): Promise<FolderStore> {
  const { records } = index;
  const id = await storeIdOf(records, index.unwritable === undefined);
  const onStored = (storedLength: number) => limit?.checkAndAdd(storedLength);
  const places = { records, extents, openScratch: () => openScratch(path), onStored };
  const served = await serveChunks(places, options);
  // Whoever has it open for long sees leases expire; what cannot be removed now is next time.
  const sweep = () => void removeExpiredUploads(records).catch(() => {});
  const sweeping = index.unwritable === undefined ? setInterval(sweep, SWEEP_MS).unref() : undefined;
  const closeAll = async () => {
    clearInterval(sweeping);
    try {
      await served.close();
      await extents.close();
      // Where the mark cannot be written, the next process begins a new pack, and nothing is lost.
      if (extents.end !== undefined) await writeCleanEnd(records, extents.end).catch(() => {});
    } catch (error) {
      throw databaseFailure(error);
    } finally {
      await index.close();
    }
  };
  const compact = async (options?: CompactionOptions) => {
    const report = await served.compact(options);
    await index.compact();
    await limit?.measure();
    return report;
  };
  const inTurn = new InTurn();
  const holds = new Holds();
  async function* backup(...[copy, onContents, options]: Parameters<FolderStore["backup"]>) {
    if (copy.storeId !== undefined && copy.storeId !== id) {
      throw new CastoreError(
        "ALREADY_EXISTS",
        "what is there is a copy of another store, and is left as it is",
      );
    }
    using journal = await holds.hold<JournalSnapshot>((use) =>
      inTurn.run("compaction", () => index.whileKept(use)),
    );
    for await (const part of readBackup(
      path,
      extents.directory,
      journal.value,
      copy.files,
      (files) => onContents({ storeId: id, files }),
      options,
    )) {
      if (holds.isOver) throw new CastoreError("CLOSED", "the store is closed");
      yield part;
    }
  }
  let closing: Promise<void> | undefined;
  const close = async () => {
    holds.letGo();
    closing ??= closeAll();
    await closing;
  };
  return {
    ...served.core,
    id,
    isShared: false,
    foundIndex: index.found,
    get activity() {
      return served.activity();
    },
    size: () => measureStore(path),
    // Not while chunks move from one pack to another.
    findLostChunks: (options) => inTurn.run("compaction", () => served.findLostChunks(options)),
    checkJournal: () => index.checkJournal(),
    renewJournal: () => index.renewJournal(),
    // One after the other: each takes for granted that nobody else moves what it looks at.
    compact: (options) => inTurn.run("compaction", () => compact(options)),
    backup,
    check: async () => (await records.recover()) ?? (await extents.recover()),
    close,
    [Symbol.asyncDispose]: close,
  };
}
