import type { FileHandle } from "node:fs/promises";
import {
  decodeRecordHead,
  PAYLOAD_MAX_BYTES,
  RECORD_HEAD_BYTES,
  type RecordHead,
  recordChecksum,
} from "./record.ts";

/** A whole record and its place. */
export interface ScannedRecord {
  readonly head: RecordHead;
  readonly offset: number;
  /** Place behind the record. */
  readonly end: number;
}

/**
 * The whole records of a pack from a place on, in order. Ends at the first that is torn or
 * damaged: nothing behind it can be told from noise.
 */
export async function* scanPack(
  handle: FileHandle,
  start: number,
): AsyncGenerator<ScannedRecord, void, undefined> {
  let offset = start;
  for (;;) {
    const bytes = await readAt(handle, offset, RECORD_HEAD_BYTES);
    const head = decodeRecordHead(bytes);
    if (head === undefined || head.storedLength > PAYLOAD_MAX_BYTES) return;
    const payload = await readAt(handle, offset + RECORD_HEAD_BYTES, head.storedLength);
    if (payload.length < head.storedLength || recordChecksum(bytes, payload) !== head.checksum) return;
    const end = offset + RECORD_HEAD_BYTES + head.storedLength;
    yield { head, offset, end };
    offset = end;
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await handle.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}
