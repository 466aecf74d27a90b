import type { RecordChange } from "@tvix/castore";

/** Kind (u8: 1 put, 0 removed), length of the key (u32), length of the value (u32); key and value follow. */
const HEAD_BYTES = 9;

/** Changes as bytes, one after the other: what a block of a journal holds. */
export function encodeChanges(changes: readonly RecordChange[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(changes.reduce((sum, change) => sum + lengthOf(change), 0));
  let at = 0;
  for (const change of changes) {
    const value = change.type === "put" ? change.value : undefined;
    bytes.writeUInt8(value === undefined ? 0 : 1, at);
    bytes.writeUInt32BE(change.key.length, at + 1);
    bytes.writeUInt32BE(value?.length ?? 0, at + 5);
    bytes.set(change.key, at + HEAD_BYTES);
    if (value !== undefined) bytes.set(value, at + HEAD_BYTES + change.key.length);
    at += lengthOf(change);
  }
  return bytes;
}

/**
 * The changes that {@link encodeChanges} was given; they share the memory of the bytes.
 *
 * @throws RangeError when the bytes are not changes
 */
export function decodeChanges(bytes: Uint8Array): RecordChange[] {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const changes: RecordChange[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = words.getUint8(at);
    const keyAt = at + HEAD_BYTES;
    const valueAt = keyAt + words.getUint32(at + 1);
    const end = valueAt + words.getUint32(at + 5);
    if (kind > 1 || end > bytes.length || (kind === 0 && end !== valueAt)) {
      throw new RangeError(`no change at byte ${at}`);
    }
    const key = bytes.subarray(keyAt, valueAt);
    changes.push(
      kind === 1 ? { type: "put", key, value: bytes.subarray(valueAt, end) } : { type: "del", key },
    );
    at = end;
  }
  return changes;
}

/** Bytes that a change takes. */
export function lengthOf(change: RecordChange): number {
  return HEAD_BYTES + change.key.length + (change.type === "put" ? change.value.length : 0);
}
