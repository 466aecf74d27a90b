import type { ChunkStore } from "../blob/chunk-store.ts";
import type { B3Digest } from "../digest/b3-digest.ts";

/** Chunks in memory. They are copied on the way in and out, so nobody can change them. */
export class MemoryChunkStore implements ChunkStore {
  readonly #chunks: Map<string, Uint8Array> = new Map();

  async has(digest: B3Digest): Promise<boolean> {
    return this.#chunks.has(digest.key);
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    return this.#chunks.get(digest.key)?.slice();
  }

  async write(digest: B3Digest, bytes: Uint8Array): Promise<void> {
    this.#chunks.set(digest.key, bytes.slice());
  }
}
