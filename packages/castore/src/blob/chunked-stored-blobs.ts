import type { EncodedChunk } from "../chunks/chunk-codec.ts";
import { mapConcurrently } from "../concurrency/map-concurrently.ts";
import { type B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import type { ChunkListStore } from "./chunk-list-store.ts";
import type { ReadManyOptions, StoredBlobs, StoredChunk, StoredChunkStore } from "./stored-blobs.ts";

/** Chunks of one blob that are looked up ahead. */
const DESCRIBED_AHEAD = 64;

/** The stored form of blobs that are cut into chunks. */
export class ChunkedStoredBlobs implements StoredBlobs {
  readonly #chunks: StoredChunkStore;
  readonly #lists: ChunkListStore;

  constructor(chunks: StoredChunkStore, lists: ChunkListStore) {
    this.#chunks = chunks;
    this.#lists = lists;
  }

  get version(): number {
    return this.#chunks.version;
  }

  async storedChunks(
    digest: B3Digest,
    { signal }: OperationOptions = {},
  ): Promise<AsyncIterable<StoredChunk> | undefined> {
    signal?.throwIfAborted();
    if (digest.equals(EMPTY_DIGEST)) return inOrder([]);
    // Asked for together: most blobs are one chunk, and for some stores each question is a journey.
    const [count, only] = await Promise.all([this.#lists.count(digest), this.#chunks.describe(digest)]);
    if (count !== undefined) return this.#listed(digest, signal);
    return only === undefined ? undefined : inOrder([only]);
  }

  async readStored(chunk: StoredChunk, { signal }: OperationOptions = {}): Promise<EncodedChunk> {
    signal?.throwIfAborted();
    return await this.#chunks.readStored(chunk);
  }

  chunkAt(digest: B3Digest, record: Uint8Array): StoredChunk {
    return this.#chunks.chunkAt(digest, record);
  }

  async readManyStored<T>(
    chunks: readonly StoredChunk[],
    use: (stored: readonly EncodedChunk[]) => Promise<T> | T,
    { signal, onMoved }: ReadManyOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    return await this.#chunks.readManyStored(chunks, use, onMoved);
  }

  async readMany(
    chunks: readonly StoredChunk[],
    options: ReadManyOptions = {},
  ): Promise<readonly Uint8Array[]> {
    const read = chunks.map(({ size }) => new Uint8Array(size));
    await this.readManyInto(chunks, read, options);
    return read;
  }

  async readManyInto(
    chunks: readonly StoredChunk[],
    places: readonly Uint8Array[],
    { signal, onMoved }: ReadManyOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    await this.#chunks.readManyInto(chunks, places, onMoved);
  }

  async *#listed(blob: B3Digest, signal: AbortSignal | undefined): AsyncIterable<StoredChunk> {
    const described = mapConcurrently(this.#lists.read(blob, 0), DESCRIBED_AHEAD, async (listed) => ({
      ...listed,
      chunk: await this.#chunks.describe(listed.digest),
    }));
    for await (const { digest, size, chunk } of described) {
      signal?.throwIfAborted();
      if (chunk === undefined) throw missing(digest, blob);
      if (chunk.size !== size) throw wrongSize(digest, blob);
      yield chunk;
    }
  }
}

async function* inOrder(chunks: readonly StoredChunk[]): AsyncIterable<StoredChunk> {
  yield* chunks;
}

function missing(chunk: B3Digest, blob: B3Digest): CastoreError {
  const subject = chunk.toString();
  return new CastoreError("INCOMPLETE", `chunk ${subject} of blob ${blob} is not in the store`, { subject });
}

function wrongSize(chunk: B3Digest, blob: B3Digest): CastoreError {
  const subject = chunk.toString();
  return new CastoreError("CORRUPT", `chunk ${subject} has not the length that blob ${blob} states`, {
    subject,
  });
}
