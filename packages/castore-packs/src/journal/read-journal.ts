import type { RecordChange } from "@tvix/castore";
import { decodeChanges } from "./change-codec.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import type { JournalPosition } from "./position.ts";
import { readBlocks, stateOf } from "./read-blocks.ts";

/** What was found in a journal. */
export interface JournalReading {
  /** Of the last whole block. */
  readonly end: JournalPosition;
  /** Whether no block was missing in front of it. */
  readonly isWhole: boolean;
}

/** Changes of a block, and where it ends. */
export type OnChanges = (changes: readonly RecordChange[], position: JournalPosition) => Promise<void>;

/**
 * Reads a journal from a place on. What is damaged is left out, and so is what a process was writing when it ended.
 *
 * @param from behind the last block that is known
 * @param onGap called before each block in front of which others are missing, with the number of the last of these; what
 *   it throws is thrown
 */
export async function readJournal(
  directory: JournalDirectory,
  from: JournalPosition,
  onChanges: OnChanges,
  onGap: (missing: number) => void = () => {},
): Promise<JournalReading> {
  const { journals } = await directory.list();
  let end = from;
  let isWhole = true;
  for (const file of journals) {
    if (file < from.file) continue;
    const handle = await directory.open("journal", file);
    try {
      const state = await stateOf(handle);
      // The first file is begun with what it holds, and another one is the last when it has nothing yet.
      const mayBeEmpty = state === "begun" && file === journals.at(-1) && file !== journals[0];
      if (state !== "blocks" && !mayBeEmpty) isWhole = false;
      for await (const block of readBlocks(handle, file === from.file ? from.offset : 0)) {
        if (block.kind !== "changes" || block.number <= end.number) continue;
        if (block.number !== end.number + 1) {
          onGap(block.number - 1);
          isWhole = false;
        }
        end = { number: block.number, file, offset: block.end };
        await onChanges(decodeChanges(block.payload), end);
      }
    } finally {
      await handle.close();
    }
  }
  return { end, isWhole };
}
