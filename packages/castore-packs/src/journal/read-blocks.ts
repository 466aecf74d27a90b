import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import {
  BLOCK_HEAD_BYTES,
  type Block,
  blockChecksum,
  decodeBlockHead,
  MAGIC,
  NO_SALT,
  SALT_BYTES,
  seedBehind,
  seedOf,
} from "./block.ts";

/** A block that is whole, its payload decompressed. */
export interface PlacedBlock extends Block {
  readonly start: number;
  /** Place behind the block. */
  readonly end: number;
}

/** Bytes that are read together. */
const WINDOW_BYTES = 1 << 20;

/** Longest payload, decompressed: some of the largest records in one block. */
const PAYLOAD_MAX_BYTES = 256 << 20;

const decompress = promisify(zstdDecompress);

/**
 * The whole blocks of a file, in order. What is damaged or torn between them, or behind the last, is left out: a block
 * that starts behind the end of the one before tells of it.
 *
 * @param start place at which a block begins
 */
export async function* readBlocks(
  handle: FileHandle,
  start: number,
): AsyncGenerator<PlacedBlock, void, undefined> {
  const file = new Windows(handle, (await handle.stat()).size);
  const seed = await findSeed(file);
  // Without it nothing in the file can be told from what only looks like a block.
  if (seed === undefined) return;
  let at: number | undefined = Math.max(start, FIRST_BYTES);
  while (at !== undefined && at < file.size) {
    const block: PlacedBlock | undefined = await blockAt(file, at, seed);
    if (block !== undefined) yield block;
    at = block?.end ?? (await file.find(MAGIC, at + 1));
  }
}

/** Length of the first block of a file, in bytes: behind it comes what the file is for. */
const FIRST_BYTES = BLOCK_HEAD_BYTES + SALT_BYTES;

/** The salt of a file; undefined when its first block is damaged. */
export async function readSalt(handle: FileHandle): Promise<Uint8Array | undefined> {
  return await saltOf(new Windows(handle, (await handle.stat()).size));
}

/**
 * What becomes of a file whose blocks are read: `blocks` can be told from what is none, or there are none yet, since whoever
 * has begun it was ended (`begun`); or nothing of it can be read (`damaged`).
 */
export async function stateOf(handle: FileHandle): Promise<"blocks" | "begun" | "damaged"> {
  const { size } = await handle.stat();
  if ((await findSeed(new Windows(handle, size))) !== undefined) return "blocks";
  return size <= FIRST_BYTES ? "begun" : "damaged";
}

async function saltOf(file: Windows): Promise<Uint8Array | undefined> {
  const head = await blockAt(file, 0, seedOf(NO_SALT));
  return head?.kind === "head" && head.end === FIRST_BYTES ? head.payload : undefined;
}

/**
 * With what the checksums of a file begin. Where its first block is damaged, the one behind that tells of it; that it is
 * one is seen by the salt, if that is left, or by the next block.
 */
async function findSeed(file: Windows): Promise<number | undefined> {
  const salt = await saltOf(file);
  if (salt !== undefined) return seedOf(salt);
  const stored = await storedAt(file, FIRST_BYTES);
  if (stored === undefined) return undefined;
  const seed = seedBehind(stored.bytes, stored.payload, stored.head.checksum);
  const end = FIRST_BYTES + BLOCK_HEAD_BYTES + stored.head.length;
  const left = await file.read(BLOCK_HEAD_BYTES, SALT_BYTES);
  return seedOf(left) === seed || (await blockAt(file, end, seed)) !== undefined ? seed : undefined;
}

async function blockAt(file: Windows, start: number, seed: number): Promise<PlacedBlock | undefined> {
  const stored = await storedAt(file, start);
  if (stored === undefined) return undefined;
  const { bytes, head, payload: raw } = stored;
  if (blockChecksum(bytes, raw, seed) !== head.checksum) return undefined;
  const payload = head.compressed ? await decompress(raw, { maxOutputLength: PAYLOAD_MAX_BYTES }) : raw;
  return { ...head, payload, start, end: start + BLOCK_HEAD_BYTES + head.length };
}

/** What lies where a block may be, and has the form of one. */
async function storedAt(file: Windows, start: number) {
  const bytes = Buffer.from(await file.read(start, BLOCK_HEAD_BYTES));
  const head = decodeBlockHead(bytes);
  const payloadAt = start + BLOCK_HEAD_BYTES;
  if (head === undefined || payloadAt + head.length > file.size) return undefined;
  const payload = await file.read(payloadAt, head.length);
  return payload.length < head.length ? undefined : { bytes, head, payload };
}

/** A file that is read from front to back, many bytes at a time. */
class Windows {
  readonly size: number;
  readonly #handle: FileHandle;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  /** The bytes from a place on; fewer at the end of the file. */
  async read(position: number, length: number): Promise<Buffer> {
    const isWithin = position >= this.#start && position + length <= this.#start + this.#bytes.length;
    if (!isWithin) await this.#fill(position, Math.max(length, WINDOW_BYTES));
    const at = position - this.#start;
    return this.#bytes.subarray(at, at + length);
  }

  /** The next place, from one on, at which some bytes are; undefined when they are nowhere. */
  async find(wanted: Uint8Array, from: number): Promise<number | undefined> {
    for (let position = from; position < this.size; position += WINDOW_BYTES - wanted.length + 1) {
      const window = await this.read(position, WINDOW_BYTES);
      const at = window.indexOf(wanted);
      if (at >= 0) return position + at;
    }
    return undefined;
  }

  async #fill(position: number, length: number): Promise<void> {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - position)));
    let read = 0;
    while (read < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, read, bytes.length - read, position + read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    this.#start = position;
    this.#bytes = bytes.subarray(0, read);
  }
}
