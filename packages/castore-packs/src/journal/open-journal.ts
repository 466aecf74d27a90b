import { CastoreError, type RecordChange } from "@tvix/castore";
import { checkFormat, forgetFormat, noteFormat } from "../format.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import type { JournalIndex } from "./journal-index.ts";
import {
  appliedChange,
  isUnfinished,
  type JournalPosition,
  markChange,
  readApplied,
  readMark,
  UNFINISHED,
} from "./position.ts";
import { rebuildIndex, replay, START } from "./recover-index.ts";

/** A journal whose index has all that is in it. */
export interface OpenedJournal {
  /**
   * What the index was: there, or new; or lost, and made again from the journal, of which all was there or only a
   * part.
   */
  readonly found: "there" | "new" | "rebuilt" | "partly-rebuilt";
  /** Of the last block. */
  readonly end: JournalPosition;
  /** Up to where the index has certainly reached the disk. */
  readonly mark: JournalPosition;
  /** Bytes of the files since the last checkpoint, and of that. */
  readonly journalBytes: number;
  readonly checkpointBytes: number;
  /** Whether there are no files that have all records, and none may be written. */
  readonly isMissing?: boolean;
}

/**
 * Brings an index to where its journal is, and begins a journal for an index that has none, or had one that is lost.
 *
 * @param mayWrite whether files may be written; else only the index is
 * @throws CastoreError CORRUPT, UNKNOWN_FORMAT
 */
export async function openJournal(
  directory: JournalDirectory,
  index: JournalIndex,
  mayWrite: boolean,
): Promise<OpenedJournal> {
  const format = await checkFormat(index);
  const mark = await readMark(index);
  if (mayWrite) {
    await directory.make();
    await directory.removeUnfinished();
  }
  const isBegun = await isUnfinished(index);
  if ((mark === undefined && format === "new") || isBegun) {
    const rebuilt = await rebuildIndex(directory, index);
    if (rebuilt === undefined && !isBegun) return await begin(directory, index);
    const { end, isWhole, checkpoint } = rebuilt ?? { end: START, isWhole: false, checkpoint: undefined };
    if (!mayWrite && !isWhole) return { ...WITHOUT_JOURNAL, found: "partly-rebuilt" };
    if (isWhole) {
      // Others are not whole, or the journal does not reach as far.
      if (mayWrite) await directory.removeCheckpointsBut(checkpoint);
      return await opened(directory, "rebuilt", end, end);
    }
    // Without its format it is one that still has to be searched for in other places.
    return await beginAgain(directory, index, "partly-rebuilt", end.number, forgetFormat());
  }
  return await catchUp(directory, index, mark, mayWrite);
}

/** A journal without anything in it, for an index without anything in it. */
async function begin(directory: JournalDirectory, index: JournalIndex): Promise<OpenedJournal> {
  await index.writeDurably([markChange(START)]);
  return await opened(directory, "new", START, START);
}

async function catchUp(
  directory: JournalDirectory,
  index: JournalIndex,
  mark: JournalPosition | undefined,
  mayWrite: boolean,
): Promise<OpenedJournal> {
  const applied = await readApplied(index);
  if (mark === undefined) {
    // What lies there beside an index that never had a journal is of another one.
    return mayWrite ? await beginAgain(directory, index, "there", applied, noteFormat()) : WITHOUT_JOURNAL;
  }
  const { end, isWhole } = await replay(directory, index, mark, (missing) => {
    if (applied < missing) throw staleIndex();
  });
  const newest = Math.max(applied, end.number);
  if (((await directory.list()).checkpoints.at(-1) ?? 0) > newest + 1) throw staleIndex();
  if (!mayWrite) return await opened(directory, "there", end, mark);
  const isUsable = isWhole && end.number === newest && (await hasAll(directory, mark));
  if (!isUsable) return await beginAgain(directory, index, "there", newest);
  // Of the last block nobody was told that it is durable, but those behind it will rest on it.
  await directory.truncateJournal(end.file, end.offset);
  return await opened(directory, "there", end, mark);
}

/** Whether a journal begins where it should, and reaches to where its index says that it was. */
async function hasAll(
  directory: JournalDirectory,
  { number, file, offset }: JournalPosition,
): Promise<boolean> {
  const { journals, checkpoints } = await directory.list();
  const hasStart = number === 0 || checkpoints.length > 0 || journals[0] === 1;
  return hasStart && (offset === 0 || ((await directory.lengthOf("journal", file)) ?? 0) >= offset);
}

/**
 * A journal that begins with a checkpoint, in place of one that lacks something.
 *
 * @param number of the last block that there was
 * @param change of the index, which the checkpoint has as well
 */
async function beginAgain(
  directory: JournalDirectory,
  index: JournalIndex,
  found: OpenedJournal["found"],
  number: number,
  change?: RecordChange,
): Promise<OpenedJournal> {
  const { journals, checkpoints } = await directory.list();
  const next = Math.max(number, journals.at(-1) ?? 0, checkpoints.at(-1) ?? 0) + 1;
  const start = { number: next - 1, file: next, offset: 0 };
  await index.flush();
  // Until the end of this the index counts as one whose journal lacks something.
  await index.writeDurably([appliedChange(start.number), ...(change === undefined ? [] : [change])]);
  await writeCheckpoint(directory, next, index);
  // What could not be read may still be of use to somebody.
  if (found === "partly-rebuilt") await directory.setAsideBefore(next);
  else await directory.removeBefore(next);
  await index.writeDurably([markChange(start), UNFINISHED.remove]);
  return await opened(directory, found, start, start);
}

async function opened(
  directory: JournalDirectory,
  found: OpenedJournal["found"],
  end: JournalPosition,
  mark: JournalPosition,
): Promise<OpenedJournal> {
  const { journals, checkpoints } = await directory.list();
  let journalBytes = 0;
  for (const number of journals) journalBytes += (await directory.lengthOf("journal", number)) ?? 0;
  const checkpointBytes = (await directory.lengthOf("checkpoint", checkpoints.at(-1) ?? 0)) ?? 0;
  return { found, end, mark, journalBytes, checkpointBytes };
}

const WITHOUT_JOURNAL: OpenedJournal = {
  found: "there",
  end: START,
  mark: START,
  journalBytes: 0,
  checkpointBytes: 0,
  isMissing: true,
};

function staleIndex(): CastoreError {
  return new CastoreError(
    "CORRUPT",
    "the index is older than what is there of its journal: `tvix-store repair` makes it anew",
  );
}
