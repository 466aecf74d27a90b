import type { ByteStream } from "@tvix/byte-stream";
import { mapConcurrently } from "../concurrency/map-concurrently.ts";
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
  const limits = {
    concurrency: chunksAhead,
    budget,
    bytesOf: ({ size }: PlacedChunk) => size,
    leaves: true,
  };
  const read = async (chunk: PlacedChunk) =>
    select(chunk, checked(chunk, await source.read(chunk.digest, chunk.size)));
  for await (const piece of mapConcurrently(before(list, end), limits, read)) {
    signal?.throwIfAborted();
    if (piece !== undefined) yield piece;
  }
}

/** The chunks that begin before some place in the blob. */
async function* before(
  list: AsyncIterable<PlacedChunk>,
  end: number,
): AsyncGenerator<PlacedChunk, void, undefined> {
  for await (const chunk of list) {
    if (chunk.offset >= end) return;
    yield chunk;
  }
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
