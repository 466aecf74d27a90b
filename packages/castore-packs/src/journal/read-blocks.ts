import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { BLOCK_HEAD_BYTES, type Block, blockChecksum, decodeBlockHead, MAGIC, NO_SALT } from "./block.ts";

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
  const head = await blockAt(file, 0, NO_SALT);
  // Without its salt nothing in the file can be told from what only looks like a block.
  if (head?.kind !== "head") return;
  if (start === 0) yield head;
  let at: number | undefined = Math.max(start, head.end);
  while (at !== undefined && at < file.size) {
    const block: PlacedBlock | undefined = await blockAt(file, at, head.payload);
    if (block !== undefined) yield block;
    at = block?.end ?? (await file.find(MAGIC, at + 1));
  }
}

/** The salt of a file, and where its first block ends; undefined when that is damaged. */
export async function readSalt(handle: FileHandle): Promise<Uint8Array | undefined> {
  const head = await blockAt(new Windows(handle, (await handle.stat()).size), 0, NO_SALT);
  return head?.kind === "head" ? head.payload : undefined;
}

async function blockAt(file: Windows, start: number, salt: Uint8Array): Promise<PlacedBlock | undefined> {
  const bytes = await file.read(start, BLOCK_HEAD_BYTES);
  const head = decodeBlockHead(bytes);
  const payloadAt = start + BLOCK_HEAD_BYTES;
  if (head === undefined || payloadAt + head.length > file.size) return undefined;
  const stored = await file.read(payloadAt, head.length);
  if (stored.length < head.length || blockChecksum(bytes, stored, salt) !== head.checksum) return undefined;
  const payload = head.compressed ? await decompress(stored, { maxOutputLength: PAYLOAD_MAX_BYTES }) : stored;
  return { ...head, payload, start, end: payloadAt + head.length };
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
