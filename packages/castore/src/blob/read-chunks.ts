import type { ByteStream } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { type ByteRange, clip } from "./byte-range.ts";
import type { PlacedChunk } from "./chunk-list-store.ts";

/** Chunks read ahead of the consumer: enough to keep two cores decompressing. */
const READ_AHEAD = 3;

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
  signal: AbortSignal | undefined,
): ByteStream {
  const ahead: { chunk: PlacedChunk; bytes: Promise<Uint8Array | undefined> }[] = [];
  const passOn = async () => {
    const next = ahead.shift();
    if (next === undefined) return undefined;
    const bytes = await next.bytes;
    signal?.throwIfAborted();
    return clip(checked(next.chunk, bytes), next.chunk.offset, range);
  };
  for await (const chunk of list) {
    if (chunk.offset >= range.end) break;
    const bytes = source.read(chunk.digest);
    // Looked at in order; until then a failure is nobody's.
    bytes.catch(() => {});
    ahead.push({ chunk, bytes });
    if (ahead.length < READ_AHEAD) continue;
    const piece = await passOn();
    if (piece !== undefined && piece.length > 0) yield piece;
  }
  for (let piece = await passOn(); piece !== undefined; piece = await passOn()) {
    if (piece.length > 0) yield piece;
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
