import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { RecordChange } from "@tvix/castore";
import { decodeChanges, encodeChanges, lengthOf } from "./change-codec.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import { appendBlock, headBlock } from "./journal-writer.ts";
import { readBlocks } from "./read-blocks.ts";

/** Bytes of changes that are one block. */
const BLOCK_BYTES = 1 << 20;

const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const compress = promisify(zstdCompress);

/**
 * Writes all records down, in a file that is there once it is whole and durable.
 *
 * @param number of the first block of the journal that may hold changes which the records do not have
 * @param entries the records, of whichever moment after that
 * @returns length of the file, in bytes
 */
export async function writeCheckpoint(
  directory: JournalDirectory,
  number: number,
  entries: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>,
): Promise<number> {
  const handle = await directory.createCheckpoint(number);
  try {
    let end = await appendBlock(handle, 0, headBlock(number));
    let blocks = 0;
    const append = async (changes: readonly RecordChange[]) => {
      blocks++;
      const payload = await compress(encodeChanges(changes), LEVEL);
      end = await appendBlock(handle, end, { kind: "changes", compressed: true, number: blocks, payload });
    };
    let changes: RecordChange[] = [];
    let bytes = 0;
    for await (const [key, value] of entries) {
      const change: RecordChange = { type: "put", key, value };
      changes.push(change);
      bytes += lengthOf(change);
      if (bytes < BLOCK_BYTES) continue;
      await append(changes);
      [changes, bytes] = [[], 0];
    }
    if (changes.length > 0) await append(changes);
    const payload = new Uint8Array(0);
    end = await appendBlock(handle, end, { kind: "end", compressed: false, number: blocks, payload });
    await handle.datasync();
    await handle.close();
    await directory.finishCheckpoint(number);
    return end;
  } finally {
    await handle.close();
  }
}

/** Whether all of a checkpoint could be read. */
export interface CheckpointReading {
  readonly isWhole: boolean;
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
    for await (const block of readBlocks(handle, 0)) {
      if (block.kind === "end") return { isWhole: block.number === blocks };
      if (block.kind !== "changes") continue;
      blocks++;
      await onChanges(decodeChanges(block.payload));
    }
    return { isWhole: false };
  } finally {
    await handle.close();
  }
}
