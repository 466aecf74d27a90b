import { crc32 } from "node:zlib";
import { crc32Before } from "./crc32-before.ts";

/** What a block is: the first of a file, changes of records, the last of a checkpoint. */
export type BlockKind = "head" | "changes" | "end";

const KINDS: readonly BlockKind[] = ["head", "changes", "end"];

/** A piece of a journal or of a checkpoint. */
export interface Block {
  readonly kind: BlockKind;
  /** Whether the payload is a zstd frame. */
  readonly compressed: boolean;
  /** Its number: of all blocks of a journal, of those of a checkpoint; 0 is none. */
  readonly number: number;
  readonly payload: Uint8Array;
}

/** What the bytes in front of a payload say. */
export interface BlockHead extends Omit<Block, "payload"> {
  /** Length of the payload, in bytes. */
  readonly length: number;
  readonly checksum: number;
}

/**
 * Integers are big-endian: magic `JRNL`; kind (u8); 1 when the payload is compressed (u8); two zeros; number (u64);
 * length of the payload (u32); CRC-32 of the salt of the file, of all that and of the payload (u32).
 *
 * The salt is the payload of the first block. It is random, so that nothing that a client sends, and that lies in a
 * payload, is ever taken for a block.
 */
export const BLOCK_HEAD_BYTES = 24;

/** What each block begins with. */
export const MAGIC: Uint8Array = Buffer.from("JRNL");

const CHECKSUM_AT = 20;

/** Length of a salt, in bytes. */
export const SALT_BYTES = 16;

/** That of the first block itself. */
export const NO_SALT: Uint8Array = new Uint8Array(0);

/** With what the checksums of a file begin: all that they have of its salt. */
export function seedOf(salt: Uint8Array): number {
  return crc32(salt);
}

/** What is written in front of the payload of a block. */
export function encodeBlockHead({ kind, compressed, number, payload }: Block, salt: Uint8Array): Uint8Array {
  const head = Buffer.alloc(BLOCK_HEAD_BYTES);
  head.set(MAGIC);
  head.writeUInt8(KINDS.indexOf(kind), 4);
  head.writeUInt8(compressed ? 1 : 0, 5);
  head.writeBigUInt64BE(BigInt(number), 8);
  head.writeUInt32BE(payload.length, 16);
  head.writeUInt32BE(blockChecksum(head, payload, seedOf(salt)), CHECKSUM_AT);
  return head;
}

/** Undefined when the bytes are no head of a block. */
export function decodeBlockHead(bytes: Uint8Array): BlockHead | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (head.length < BLOCK_HEAD_BYTES || head.compare(MAGIC, 0, 4, 0, 4) !== 0) return undefined;
  const kind = KINDS[head.readUInt8(4)];
  const flag = head.readUInt8(5);
  if (kind === undefined || flag > 1) return undefined;
  return {
    kind,
    compressed: flag === 1,
    number: Number(head.readBigUInt64BE(8)),
    length: head.readUInt32BE(16),
    checksum: head.readUInt32BE(CHECKSUM_AT),
  };
}

/** CRC-32 of the salt, of a head up to its checksum, and of the payload. @param seed by {@link seedOf} */
export function blockChecksum(head: Uint8Array, payload: Uint8Array, seed: number): number {
  return crc32(payload, crc32(head.subarray(0, CHECKSUM_AT), seed));
}

/** The seed with which a block has its checksum: where the salt is damaged, the blocks still tell of it. */
export function seedBehind(head: Uint8Array, payload: Uint8Array, checksum: number): number {
  return crc32Before(head.subarray(0, CHECKSUM_AT), crc32Before(payload, checksum));
}
