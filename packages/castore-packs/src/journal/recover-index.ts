import type { RecordChange } from "@tvix/castore";
import { lengthOf } from "./change-codec.ts";
import { readCheckpoint } from "./checkpoint.ts";
import type { JournalDirectory } from "./journal-directory.ts";
import type { JournalIndex } from "./journal-index.ts";
import { appliedChange, type JournalPosition, markChange, UNFINISHED } from "./position.ts";
import { type JournalReading, type OnChanges, readJournal } from "./read-journal.ts";

/** Bytes of changes that are written together. */
const BATCH_BYTES = 1 << 20;

/** In front of the first block. */
export const START: JournalPosition = { number: 0, file: 0, offset: 0 };

/**
 * Brings an index to where its journal is, from a place on that it has certainly reached.
 *
 * @param onGap as that of {@link readJournal}
 */
export async function replay(
  directory: JournalDirectory,
  index: JournalIndex,
  from: JournalPosition,
  onGap?: (missing: number) => void,
): Promise<JournalReading> {
  const batches = new Batches(index);
  const onChanges: OnChanges = (changes, { number }) => batches.add([...changes, appliedChange(number)]);
  const reading = await readJournal(directory, from, onChanges, onGap);
  await batches.finish();
  return reading;
}

/** An index that was made from a journal. */
export interface RebuiltIndex extends JournalReading {
  /** The checkpoint that it was made of. */
  readonly checkpoint: number | undefined;
}

/**
 * Makes an index from a journal: from its newest checkpoint that is whole and from which on all blocks are there that it
 * may have something of, or from its beginning. Where there is none, as far as there are blocks: the index counts as
 * unfinished then, as it does when this is interrupted.
 *
 * @returns undefined when there is no journal
 */
export async function rebuildIndex(
  directory: JournalDirectory,
  index: JournalIndex,
): Promise<RebuiltIndex | undefined> {
  const { journals, checkpoints } = await directory.list();
  if (journals.length === 0 && checkpoints.length === 0) return undefined;
  await index.writeDurably([UNFINISHED.put]);
  const start = await findStart(directory);
  // Where there is none, some records are better than none.
  const used = start === undefined ? checkpoints.at(-1) : start.checkpoint;
  if (used !== undefined) await applyCheckpoint(directory, index, used);
  const from = used === undefined ? START : behindCheckpoint(used);
  const { end, isWhole } = await replay(directory, index, from);
  const isComplete = isWhole && start !== undefined;
  await index.flush();
  const marks = [appliedChange(end.number), markChange(end)];
  if (isComplete) await index.writeDurably([...marks, UNFINISHED.remove]);
  return { end, isWhole: isComplete, checkpoint: used };
}

/** Where the records begin from which an index can be made: a checkpoint, or none, and the first block. */
async function findStart(
  directory: JournalDirectory,
): Promise<{ readonly checkpoint: number | undefined } | undefined> {
  const { journals, checkpoints } = await directory.list();
  for (const number of checkpoints.toReversed()) {
    const { isWhole, applied } = await readCheckpoint(directory, number, async () => {});
    if (!isWhole) continue;
    const { end } = await readJournal(directory, behindCheckpoint(number), async () => {});
    if (end.number >= applied) return { checkpoint: number };
  }
  return journals[0] === START.number + 1 ? { checkpoint: undefined } : undefined;
}

/** Whether an index could be made from a journal that has everything up to a block. */
export async function isWholeUpTo(directory: JournalDirectory, number: number): Promise<boolean> {
  const start = await findStart(directory);
  if (start === undefined) return number === 0;
  const from = start.checkpoint === undefined ? START : behindCheckpoint(start.checkpoint);
  const { end, isWhole } = await readJournal(directory, from, async () => {});
  return isWhole && end.number >= number;
}

/** Where the blocks begin that a checkpoint does not have. */
function behindCheckpoint(number: number): JournalPosition {
  return { number: number - 1, file: number, offset: 0 };
}

async function applyCheckpoint(
  directory: JournalDirectory,
  index: JournalIndex,
  number: number,
): Promise<void> {
  const batches = new Batches(index);
  await readCheckpoint(directory, number, (changes) => batches.add(changes));
  await batches.finish();
}

/** Changes on their way into an index, many at a time. */
class Batches {
  readonly #index: JournalIndex;
  #changes: RecordChange[] = [];
  #bytes = 0;

  constructor(index: JournalIndex) {
    this.#index = index;
  }

  async add(changes: readonly RecordChange[]): Promise<void> {
    for (const change of changes) {
      this.#changes.push(change);
      this.#bytes += lengthOf(change);
    }
    if (this.#bytes >= BATCH_BYTES) await this.finish();
  }

  async finish(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    this.#bytes = 0;
    if (changes.length > 0) await this.#index.write(changes);
  }
}
