import type { ByteStream } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { ByteBudget } from "../memory-use/byte-budget.ts";
import { type ByteRange, clip } from "./byte-range.ts";
import type { PlacedChunk } from "./chunk-list-store.ts";

/** Chunks of one blob on their way to the consumer: enough to keep two cores decompressing. */
const CHUNKS_AHEAD = 4;

/** How readers share memory. */
export interface ReadAheadOptions {
  readonly signal: AbortSignal | undefined;
  /** Bytes that all readers together may read ahead. */
  readonly budget: ByteBudget;
  /** Chunks that one reader has on their way, at most. Default 4: a source that is far wants more. */
  readonly chunksAhead?: number | undefined;
}

/** Bytes that the readers of one service read ahead, in all. */
export const READ_AHEAD_BYTES: number = 8 << 20;

/** What is needed of a chunk store to read from it. */
interface ChunkSource {
  /** @param size that the chunk is listed with; one that is longer need not be read to its end */
  read(digest: B3Digest, size: number): Promise<Uint8Array | undefined>;
}

/**
 * The bytes of consecutive chunks that lie within a range. Chunks are read ahead, passed on
 * in order, and let go when the consumer leaves.
 *
 * @throws CastoreError INCOMPLETE when a chunk is not there, CORRUPT when it has another length
 */
export function readChunks(
  source: ChunkSource,
  list: AsyncIterable<PlacedChunk>,
  range: ByteRange,
  options: ReadAheadOptions,
): ByteStream {
  return chunksInOrder(source, list, range.end, options, (chunk, bytes) => {
    const piece = clip(bytes, chunk.offset, range);
    return piece.length === 0 ? undefined : piece;
  });
}

/** A chunk, and its bytes. */
export interface ReadChunk {
  readonly chunk: PlacedChunk;
  readonly bytes: Uint8Array;
}

/** The same with each chunk as a whole, and what it is. */
export function readWholeChunks(
  source: ChunkSource,
  list: AsyncIterable<PlacedChunk>,
  options: ReadAheadOptions,
): AsyncGenerator<ReadChunk, void, undefined> {
  return chunksInOrder(source, list, Number.POSITIVE_INFINITY, options, (chunk, bytes) => ({ chunk, bytes }));
}

/** @param select what is passed on of a chunk; undefined for nothing */
async function* chunksInOrder<T>(
  source: ChunkSource,
  list: AsyncIterable<PlacedChunk>,
  end: number,
  { signal, budget, chunksAhead = CHUNKS_AHEAD }: ReadAheadOptions,
  select: (chunk: PlacedChunk, bytes: Uint8Array) => T | undefined,
): AsyncGenerator<T, void, undefined> {
  const ahead: ChunkAhead[] = [];
  const passOn = async ({ chunk, bytes, reserved }: ChunkAhead) => {
    try {
      const read = await bytes;
      signal?.throwIfAborted();
      return select(chunk, checked(chunk, read));
    } finally {
      budget.release(reserved);
    }
  };
  try {
    for await (const chunk of list) {
      if (chunk.offset >= end) break;
      // One chunk may always be read; those ahead of it as long as the budget of all readers lasts.
      let reserved = ahead.length > 0 && budget.tryAcquire(chunk.size) ? chunk.size : 0;
      while (ahead.length >= chunksAhead || (ahead.length > 0 && reserved === 0)) {
        const piece = await passOn(ahead.shift() as ChunkAhead);
        if (piece !== undefined) yield piece;
        if (ahead.length > 0 && reserved === 0 && budget.tryAcquire(chunk.size)) reserved = chunk.size;
      }
      const bytes = source.read(chunk.digest, chunk.size);
      // Looked at in order; until then a failure is nobody's.
      bytes.catch(() => {});
      ahead.push({ chunk, bytes, reserved });
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const piece = await passOn(next);
      if (piece !== undefined) yield piece;
    }
  } finally {
    for (const { reserved } of ahead) budget.release(reserved);
  }
}

/** A chunk that is being read before it is asked for. */
interface ChunkAhead {
  readonly chunk: PlacedChunk;
  readonly bytes: Promise<Uint8Array | undefined>;
  /** Bytes taken from the budget for it. */
  readonly reserved: number;
}

function checked({ digest, size }: PlacedChunk, bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) {
    throw new CastoreError("INCOMPLETE", `chunk ${digest} is not in the store`, {
      subject: digest.toString(),
    });
  }
  if (bytes.length !== size) {
    throw new CastoreError("CORRUPT", `chunk ${digest} is listed with ${size} bytes, has ${bytes.length}`, {
      subject: digest.toString(),
    });
  }
  return bytes;
}
