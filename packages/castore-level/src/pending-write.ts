import type { RecordChange, RecordCondition } from "@tvix/castore";
import { holds, nameOfKey } from "@tvix/castore/backend";

/** What a change weighs beside its bytes: a batch of the shortest ones takes as long as one of others then. */
const CHANGE_BYTES = 4096;

/** A write that waits for its batch. */
export class PendingWrite {
  readonly changes: readonly RecordChange[];
  readonly conditions: readonly RecordCondition[];
  /** Whether its conditions held, known when its batch is made. */
  isDone = true;
  /** Why they could not be looked at: that concerns nobody else in the batch. */
  failure: { readonly error: unknown } | undefined;

  constructor(changes: readonly RecordChange[], conditions: readonly RecordCondition[]) {
    this.changes = changes;
    this.conditions = conditions;
  }

  /** What it adds to a batch, in bytes. */
  get weight(): number {
    return this.changes.reduce((sum, change) => sum + bytesOf(change) + CHANGE_BYTES, 0);
  }
}

/**
 * The changes of all writes whose conditions hold, one after the other: each sees those before it. The
 * others are marked as not done.
 */
export async function withConditions(
  writes: readonly PendingWrite[],
  get: (key: Uint8Array) => Promise<Uint8Array | undefined>,
): Promise<RecordChange[]> {
  if (writes.every(({ conditions }) => conditions.length === 0)) {
    return writes.flatMap(({ changes }) => changes);
  }
  const changed = new Map<string, Uint8Array | undefined>();
  const isMet = async (condition: RecordCondition): Promise<boolean> => {
    const name = nameOfKey(condition.key);
    return holds(condition, changed.has(name) ? changed.get(name) : await get(condition.key));
  };
  const all: RecordChange[] = [];
  for (const write of writes) {
    try {
      for (const condition of write.conditions) write.isDone &&= await isMet(condition);
    } catch (error) {
      write.isDone = false;
      write.failure = { error };
    }
    if (!write.isDone) continue;
    for (const change of write.changes) {
      changed.set(nameOfKey(change.key), change.type === "put" ? change.value : undefined);
      all.push(change);
    }
  }
  return all;
}

function bytesOf(change: RecordChange): number {
  return change.key.length + (change.type === "put" ? change.value.length : 0);
}
