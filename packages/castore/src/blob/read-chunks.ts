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
  read(digest: B3Digest): Promise<Uint8Array | undefined>;
}

/**
 * The bytes of consecutive chunks that lie within a range. Chunks are read ahead, passed on
 * in order, and let go when the consumer leaves.
 *
 * @throws CastoreError INCOMPLETE when a chunk is not there, CORRUPT when it has another length
 */
export async function* readChunks(
  source: ChunkSource,
  list: AsyncIterable<PlacedChunk>,
  range: ByteRange,
  { signal, budget, chunksAhead = CHUNKS_AHEAD }: ReadAheadOptions,
): ByteStream {
  const ahead: ChunkAhead[] = [];
  const passOn = async ({ chunk, bytes, reserved }: ChunkAhead) => {
    try {
      const read = await bytes;
      signal?.throwIfAborted();
      return clip(checked(chunk, read), chunk.offset, range);
    } finally {
      budget.release(reserved);
    }
  };
  try {
    for await (const chunk of list) {
      if (chunk.offset >= range.end) break;
      // One chunk may always be read; those ahead of it as long as the budget of all readers lasts.
      let reserved = ahead.length > 0 && budget.tryAcquire(chunk.size) ? chunk.size : 0;
      while (ahead.length >= chunksAhead || (ahead.length > 0 && reserved === 0)) {
        const piece = await passOn(ahead.shift() as ChunkAhead);
        if (piece.length > 0) yield piece;
        if (ahead.length > 0 && reserved === 0 && budget.tryAcquire(chunk.size)) reserved = chunk.size;
      }
      const bytes = source.read(chunk.digest);
      // Looked at in order; until then a failure is nobody's.
      bytes.catch(() => {});
      ahead.push({ chunk, bytes, reserved });
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const piece = await passOn(next);
      if (piece.length > 0) yield piece;
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
