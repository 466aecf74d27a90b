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
  onGap?: () => void,
): Promise<JournalReading> {
  const batches = new Batches(index);
  const onChanges: OnChanges = (changes, { number }) => batches.add([...changes, appliedChange(number)]);
  const reading = await readJournal(directory, from, onChanges, onGap);
  await batches.finish();
  return reading;
}

/**
 * Makes an index from a journal: from its newest checkpoint that is whole, or from its beginning. Where neither is
 * whole, as far as there are blocks: the index counts as unfinished then, as it does when this is interrupted.
 *
 * @returns undefined when there is no journal
 */
export async function rebuildIndex(
  directory: JournalDirectory,
  index: JournalIndex,
): Promise<JournalReading | undefined> {
  const { journals, checkpoints } = await directory.list();
  if (journals.length === 0 && checkpoints.length === 0) return undefined;
  await index.writeDurably([UNFINISHED.put]);
  const whole = await newestWhole(directory, checkpoints);
  const used = whole ?? (journals[0] === START.number + 1 ? undefined : checkpoints.at(-1));
  if (used !== undefined) await applyCheckpoint(directory, index, used);
  const from = used === undefined ? START : { number: used - 1, file: used, offset: 0 };
  const { end, isWhole } = await replay(directory, index, from);
  const isComplete = isWhole && used === whole;
  await index.flush();
  const marks = [appliedChange(end.number), markChange(end)];
  if (isComplete) await index.writeDurably([...marks, UNFINISHED.remove]);
  return { end, isWhole: isComplete };
}

async function newestWhole(
  directory: JournalDirectory,
  checkpoints: readonly number[],
): Promise<number | undefined> {
  for (const number of checkpoints.toReversed()) {
    const { isWhole } = await readCheckpoint(directory, number, async () => {});
    if (isWhole) return number;
  }
  return undefined;
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
