import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { RecordChange } from "@tvix/castore";
import { BlockWriter } from "./block-writer.ts";
import { decodeChanges, encodeChanges, lengthOf } from "./change-codec.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import type { JournalIndex } from "./journal-index.ts";
import { isLasting } from "./lasting.ts";
import { readApplied } from "./position.ts";
import { readBlocks } from "./read-blocks.ts";

/** Bytes of changes that are one block. */
const BLOCK_BYTES = 1 << 20;

const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const compress = promisify(zstdCompress);

/**
 * Writes all records down, in a file that is there once it is whole and durable. They are those of some time from now on:
 * what was changed meanwhile, the journal has as well.
 *
 * @param number of the first block of the journal that may hold changes which the records do not have
 * @param onRecord called with each record; ends it by throwing
 * @returns length of the file, in bytes
 */
export async function writeCheckpoint(
  directory: JournalDirectory,
  number: number,
  index: JournalIndex,
  onRecord: () => void = () => {},
): Promise<number> {
  try {
    return await write(directory, number, index, onRecord);
  } catch (error) {
    // On a full disk it would keep the room that is missing.
    await directory.removeUnfinished().catch(() => {});
    throw error;
  }
}

async function write(
  directory: JournalDirectory,
  number: number,
  index: JournalIndex,
  onRecord: () => void,
): Promise<number> {
  const handle = await directory.createCheckpoint(number);
  try {
    const file = await BlockWriter.begin(handle, number);
    let blocks = 0;
    let changes: RecordChange[] = [];
    let bytes = 0;
    const flush = async () => {
      blocks++;
      const payload = await compress(encodeChanges(changes), LEVEL);
      await file.append({ kind: "changes", compressed: true, number: blocks, payload });
      [changes, bytes] = [[], 0];
    };
    for await (const [key, value] of index.entries()) {
      onRecord();
      if (!isLasting(key)) continue;
      const change: RecordChange = { type: "put", key, value };
      changes.push(change);
      bytes += lengthOf(change);
      if (bytes >= BLOCK_BYTES) await flush();
    }
    if (changes.length > 0) await flush();
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, BigInt(await readApplied(index)));
    await file.append({ kind: "end", compressed: false, number: blocks, payload });
    await handle.datasync();
    await handle.close();
    await directory.finishCheckpoint(number);
    return file.end;
  } finally {
    await handle.close();
  }
}

/** What was found in a checkpoint. */
export interface CheckpointReading {
  /** Whether all of it could be read. */
  readonly isWhole: boolean;
  /** Number of a block of the journal: up to that one, the records may have changes of blocks that follow. */
  readonly applied: number;
}

/**
 * Reads a checkpoint.
 *
 * @param onChanges called with its records, many at a time; they come back in any case, as far as blocks are whole
 */
export async function readCheckpoint(
  directory: JournalDirectory,
  number: number,
  onChanges: (changes: readonly RecordChange[]) => Promise<void>,
): Promise<CheckpointReading> {
  const handle = await directory.open("checkpoint", number);
  try {
    let blocks = 0;
    for await (const { kind, number: count, payload } of readBlocks(handle, 0)) {
      if (kind === "end") {
        const words = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
        return { isWhole: count === blocks, applied: Number(words.getBigUint64(0)) };
      }
      if (kind !== "changes") continue;
      blocks++;
      await onChanges(decodeChanges(payload));
    }
    return { isWhole: false, applied: 0 };
  } finally {
    await handle.close();
  }
}
