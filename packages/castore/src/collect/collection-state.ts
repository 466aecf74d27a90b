import { equalBytes } from "@tvix/byte-stream";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { FACTS } from "../records/tables.ts";

/**
 * How far a collection is:
 *
 * - `idle`: none is under way, and nothing is condemned;
 * - `condemning`: the first look goes on; what it finds unreachable is condemned;
 * - `waiting`: that is done, and whoever wants something of it has time to say so;
 * - `sweeping`: the second look goes on, and what it finds condemned and unreachable is removed.
 */
export type CollectionPhase = "idle" | "condemning" | "waiting" | "sweeping";

/** What everybody who uses a store can know of its collection. */
export interface CollectionState {
  readonly phase: CollectionPhase;
  /** Of the collection; each has a higher one than the one before. 0: there has been none. */
  readonly number: number;
  /** When the phase began, in milliseconds since 1970. */
  readonly since: number;
  /** The record itself. */
  readonly record: Uint8Array | undefined;
}

/** The fact that holds it: phase (u8), number of the collection, since when (u64 each). */
const COLLECTION = "collection";

const RECORD_BYTES = 17;

const PHASES: readonly CollectionPhase[] = ["idle", "condemning", "waiting", "sweeping"];

/** How far a collection is. What cannot be read counts as the phase in which the most care is taken. */
export async function readCollection(records: RecordStore): Promise<CollectionState> {
  const record = await FACTS.get(records, COLLECTION);
  if (record === undefined) return { phase: "idle", number: 0, since: 0, record };
  const words = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const phase = record.length === RECORD_BYTES ? PHASES[record[0] ?? 0xff] : undefined;
  if (phase === undefined) return { phase: "sweeping", number: 1, since: 0, record };
  const [number = 0, since = 0] = [1, 9].map((at) => Number(words.getBigUint64(at)));
  return { phase, number, since, record };
}

/** That a collection is still as far as it was. */
export function isStill({ record }: CollectionState): RecordCondition {
  return { key: FACTS.keyOf(COLLECTION), value: record };
}

/** Whether a collection has got no further in between. */
export function isSame(one: CollectionState, other: CollectionState): boolean {
  const [a, b] = [one.record, other.record];
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

/** What is known of the moment in which an upload began. */
export interface UploadStart {
  /** How far a collection was when somebody looked at it before; undefined: nobody has. */
  readonly seen: CollectionState | undefined;
  /** In milliseconds since 1970. */
  readonly time: number;
}

/** So much longer before an upload a look-up may have begun that the upload shares with others, in milliseconds. */
const SHARED_LOOKUP_MS = 600_000;

/**
 * Whether a collection may have condemned or removed something that an upload was told is there. The record tells it, whatever clocks do:
 * they jump, and those of two servers differ. Time is looked at besides: an upload may share a look-up that began before it did.
 */
export function mayHaveCollectedSince({ seen, time }: UploadStart, now: CollectionState): boolean {
  if (now.record === undefined) return false;
  const isUnchanged = now.phase === "idle" && seen !== undefined && isSame(seen, now);
  return !isUnchanged || now.since > time - SHARED_LOOKUP_MS;
}

/** The change that takes a collection on. */
export function stateChange(state: Omit<CollectionState, "record">): RecordChange & { readonly type: "put" } {
  const record = new Uint8Array(RECORD_BYTES);
  const words = new DataView(record.buffer);
  record[0] = PHASES.indexOf(state.phase);
  words.setBigUint64(1, BigInt(state.number));
  words.setBigUint64(9, BigInt(state.since));
  return FACTS.put(COLLECTION, record);
}
