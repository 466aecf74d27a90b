import { crc32 } from "node:zlib";
import { equalBytes } from "@tvix/byte-stream";
import { B3_DIGEST_LENGTH, B3Digest, type EncodedChunk } from "@tvix/castore";
import type { ExtentLocation } from "@tvix/castore/backend";

/**
 * A chunk in a pack. Records follow each other without gaps, and describe themselves, so
 * that the index can be made again from the packs alone.
 *
 * Layout, integers big-endian: magic `CHNK`; encoding (u8: 0 raw, 1 zstd) and three zero
 * bytes; length of the chunk (u32); length of the payload (u32); digest of the chunk (32
 * bytes); CRC-32 of all that and of the payload (u32); the payload.
 */
export const RECORD_HEAD_BYTES = 52;

/** Longest payload taken for real: that of the largest chunk, with room for incompressible data. */
export const PAYLOAD_MAX_BYTES: number = 17 << 20;

const MAGIC = 0x43_48_4e_4b;
const ZSTD = 1;
const DIGEST_AT = 16;
const CHECKSUM_AT = DIGEST_AT + B3_DIGEST_LENGTH;

/** What the head of a record says. */
export interface RecordHead extends Omit<EncodedChunk, "payload"> {
  readonly digest: B3Digest;
  /** Length of the payload, in bytes. */
  readonly storedLength: number;
  readonly checksum: number;
}

/** The head of a record; the payload follows it. */
export function encodeRecordHead(digest: B3Digest, { encoding, size, payload }: EncodedChunk): Uint8Array {
  const head = Buffer.allocUnsafe(RECORD_HEAD_BYTES);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt32BE(encoding === "zstd" ? ZSTD << 24 : 0, 4);
  head.writeUInt32BE(size, 8);
  head.writeUInt32BE(payload.length, 12);
  head.set(digest.bytes, DIGEST_AT);
  head.writeUInt32BE(recordChecksum(head, payload), CHECKSUM_AT);
  return head;
}

/** What a head says, undefined when the bytes are no head of a record. */
export function decodeRecordHead(head: Uint8Array): RecordHead | undefined {
  const words = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const encoding = head[4];
  if (head.length < RECORD_HEAD_BYTES || words.getUint32(0) !== MAGIC) return undefined;
  if (encoding !== 0 && encoding !== ZSTD) return undefined;
  return {
    encoding: encoding === ZSTD ? "zstd" : "raw",
    size: words.getUint32(8),
    storedLength: words.getUint32(12),
    digest: B3Digest.from(head.slice(DIGEST_AT, CHECKSUM_AT)),
    checksum: words.getUint32(CHECKSUM_AT),
  };
}

/** Whether bytes are the whole record of a chunk, as it was appended for it. */
export function isIntactRecord(record: Uint8Array, digest: B3Digest, location: ExtentLocation): boolean {
  const { encoding, size, storedLength } = location;
  const words = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return (
    record.length === RECORD_HEAD_BYTES + storedLength &&
    words.getUint32(0) === MAGIC &&
    record[4] === (encoding === "zstd" ? ZSTD : 0) &&
    words.getUint32(8) === size &&
    words.getUint32(12) === storedLength &&
    equalBytes(record.subarray(DIGEST_AT, CHECKSUM_AT), digest.bytes) &&
    words.getUint32(CHECKSUM_AT) === recordChecksum(record, record.subarray(RECORD_HEAD_BYTES))
  );
}

/** CRC-32 of a head up to its checksum, and of the payload. */
export function recordChecksum(head: Uint8Array, payload: Uint8Array): number {
  return crc32(payload, crc32(head.subarray(0, CHECKSUM_AT)));
}
