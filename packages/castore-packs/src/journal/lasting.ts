import type { JournalIndex } from "./journal-index.ts";
import { isOfTheIndex } from "./position.ts";

/** Derived records begin with it. */
const TILDE = 0x7e;

/** Whether a record belongs into a journal: not what can be made again, nor what is true of one index only. */
export function isLasting(key: Uint8Array): boolean {
  return key[0] !== TILDE && !isOfTheIndex(key);
}

/** The records of an index that belong into a journal. */
export async function* lastingEntries(
  index: JournalIndex,
): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
  for await (const entry of index.entries()) if (isLasting(entry[0])) yield entry;
}
