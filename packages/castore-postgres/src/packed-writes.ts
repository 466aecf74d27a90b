import type { RecordChange, RecordCondition } from "@tvix/castore";

/** One of several writes that share a transaction. */
export interface SharedWrite {
  readonly changes: readonly RecordChange[];
  readonly conditions: readonly RecordCondition[];
}

/** Parts into which keys fall: two writes that have no part in common do not wait for each other. */
const SHARDS = 32;

/** Locks of the parts that writes look at, and that they change. All servers have to agree on them. */
function shardOf(key: Uint8Array): number {
  // Most keys end with digests.
  return (key.at(-1) ?? 0) % SHARDS;
}

/** Arguments of `write_records` after the first: bytes, and places in them from 1 on. */
export type PackedWrites = readonly [Buffer, ...(readonly number[])[]];

/** Writes as arguments. */
export function packWrites(writes: readonly SharedWrite[]): PackedWrites {
  const bytes = new Packer();
  const shared = new Set<number>();
  const exclusive = new Set<number>();
  const [conditions, puts, deletions] = [columns(5), columns(5), columns(3)];
  for (const [number, write] of writes.entries()) {
    for (const { key, value } of write.conditions) {
      shared.add(shardOf(key));
      const place = value === undefined ? [1, -1] : bytes.add(value);
      addRow(conditions, [number, ...bytes.add(key), ...place]);
    }
    for (const change of lastOfEachKey(write.changes)) {
      exclusive.add(shardOf(change.key));
      const row = [number, ...bytes.add(change.key)];
      if (change.type === "del") addRow(deletions, row);
      else addRow(puts, [...row, ...bytes.add(change.value)]);
    }
  }
  const onlyShared = [...shared].filter((shard) => !exclusive.has(shard));
  return [bytes.join(), onlyShared, [...exclusive], ...conditions, ...puts, ...deletions];
}

/** Bytes that a write takes. */
export function weightOf({ changes, conditions }: SharedWrite): number {
  let weight = 0;
  for (const change of changes)
    weight += change.key.length + (change.type === "put" ? change.value.length : 0);
  for (const { key, value } of conditions) weight += key.length + (value?.length ?? 0);
  return weight;
}

function columns(count: number): number[][] {
  return Array.from({ length: count }, () => []);
}

function addRow(table: readonly number[][], row: readonly number[]): void {
  for (const [index, column] of table.entries()) column.push(row[index] as number);
}

function lastOfEachKey(changes: readonly RecordChange[]): Iterable<RecordChange> {
  if (changes.length < 2) return changes;
  return new Map(changes.map((change) => [textOf(change.key), change])).values();
}

/** A key as text, so that it can be one of a map. */
export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** Bytes one behind the other. */
class Packer {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** @returns place, from 1 on, and length */
  add(part: Uint8Array): [number, number] {
    this.#parts.push(part);
    const place = this.#length + 1;
    this.#length += part.length;
    return [place, part.length];
  }

  join(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }
}
