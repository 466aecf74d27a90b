import type { ChunkMeta } from "../blob/blob-service.ts";
import type { ChunkListStore, ChunkListWriter, PlacedChunk } from "../blob/chunk-list-store.ts";
import type { B3Digest } from "../digest/b3-digest.ts";

/** Chunk lists in memory. */
export class MemoryChunkListStore implements ChunkListStore {
  readonly #lists: Map<string, readonly ChunkMeta[]> = new Map();

  async count(blob: B3Digest): Promise<number | undefined> {
    return this.#lists.get(blob.key)?.length;
  }

  async *read(blob: B3Digest, offset: number): AsyncIterable<PlacedChunk> {
    let at = 0;
    for (const chunk of this.#lists.get(blob.key) ?? []) {
      if (at + chunk.size > offset) yield { ...chunk, offset: at };
      at += chunk.size;
    }
  }

  write(): ChunkListWriter {
    const list: ChunkMeta[] = [];
    return {
      append: async (chunk) => {
        list.push(chunk);
      },
      commit: async (blob) => {
        this.#lists.set(blob.key, list);
      },
      abort: async () => {},
    };
  }
}
