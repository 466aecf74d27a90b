import { copyBytes } from "@tvix/byte-stream";
import type { RecordChange, RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";

/** A place in a journal, behind a block. */
export interface JournalPosition {
  /** Number of that block; 0 before the first. */
  readonly number: number;
  /** Number of the file: that of its first block. */
  readonly file: number;
  /** Place in the file, in bytes. */
  readonly offset: number;
}

/** Up to where the journal has certainly reached the tables of the index. */
const MARK = "journal-mark";

/** Number of the last block of which the index has the changes, written together with them. */
const APPLIED = "journal-applied";

/** Whether a key tells how far an index and its journal are, which is true of one index only. */
export function isOfTheIndex(key: Uint8Array): boolean {
  return POSITION_KEYS.some((other) => Buffer.compare(key, other) === 0);
}

/** There while an index is being made from its journal, and is not all there. */
const REBUILDING = "journal-rebuilding";

/** The changes that begin and end such a time. */
export const UNFINISHED: { readonly put: RecordChange; readonly remove: RecordChange } = {
  put: FACTS.put(REBUILDING, new Uint8Array(0)),
  remove: FACTS.remove(REBUILDING),
};

/** Whether an index was being made from its journal when the process ended that did. */
export async function isUnfinished(records: Pick<RecordStore, "get">): Promise<boolean> {
  return (await records.get(UNFINISHED.put.key)) !== undefined;
}

const POSITION_KEYS = [MARK, APPLIED, REBUILDING].map((name) => copyBytes(FACTS.keyOf(name)));

/** Undefined for an index without one: a new one, or one without a journal. */
export async function readMark(records: Pick<RecordStore, "get">): Promise<JournalPosition | undefined> {
  const stored = await records.get(FACTS.keyOf(MARK));
  if (stored?.length !== 24) return undefined;
  const words = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const [number = 0, file = 0, offset = 0] = [0, 8, 16].map((at) => Number(words.getBigUint64(at)));
  return { number, file, offset };
}

export function markChange({ number, file, offset }: JournalPosition): RecordChange {
  const value = new Uint8Array(24);
  const words = new DataView(value.buffer);
  [number, file, offset].forEach((part, index) => {
    words.setBigUint64(index * 8, BigInt(part));
  });
  return FACTS.put(MARK, value);
}

/** 0 where nothing has been. */
export async function readApplied(records: Pick<RecordStore, "get">): Promise<number> {
  const stored = await records.get(FACTS.keyOf(APPLIED));
  if (stored?.length !== 8) return 0;
  return Number(new DataView(stored.buffer, stored.byteOffset, stored.byteLength).getBigUint64(0));
}

export function appliedChange(number: number): RecordChange {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(number));
  return FACTS.put(APPLIED, value);
}
