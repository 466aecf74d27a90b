import type { ChunkMeta } from "./blob-service.ts";
import type { PlacedChunk } from "./chunk-list-store.ts";

/** The chunks of a blob, in order, from the one on that holds the byte at `start`. */
export async function* placeChunks(chunks: readonly ChunkMeta[], start: number): AsyncIterable<PlacedChunk> {
  let offset = 0;
  for (const chunk of chunks) {
    if (offset + chunk.size > start) yield { ...chunk, offset };
    offset += chunk.size;
  }
}
