import { type ChunkCodec, RAW_CODEC } from "../blob/chunk-codec.ts";
import type { ChunkStore } from "../blob/chunk-store.ts";
import { decodeVerified } from "../blob/verify-chunk.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { decodeInline, encodeInline } from "./chunk-record.ts";
import { type Database, keyOf, keyPrefix } from "./database.ts";

/** Key prefix of chunks. */
export const CHUNK: Uint8Array = keyPrefix("c1");

/** Chunks in a Level database, for browsers and tests; packs are faster where there are files. */
export class LevelChunkStore implements ChunkStore {
  readonly #database: Database;
  readonly #codec: ChunkCodec;
  /** Chunks that were found damaged; they count as absent until written again. */
  readonly #damaged: Set<string> = new Set();

  constructor(database: Database, codec: ChunkCodec = RAW_CODEC) {
    this.#database = database;
    this.#codec = codec;
  }

  async has(digest: B3Digest): Promise<boolean> {
    return !this.#damaged.has(digest.key) && (await this.#database.has(keyOf(CHUNK, digest.bytes)));
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    const record = await this.#database.get(keyOf(CHUNK, digest.bytes));
    if (record === undefined) return undefined;
    try {
      return await decodeVerified(this.#codec, digest, decodeInline(record, digest));
    } catch (error) {
      this.#damaged.add(digest.key);
      throw error;
    }
  }

  async write(digest: B3Digest, bytes: Uint8Array): Promise<void> {
    const encoded = await this.#codec.encode(bytes);
    const record = encodeInline(encoded);
    encoded.release();
    await this.#database.write([{ type: "put", key: keyOf(CHUNK, digest.bytes), value: record }]);
    this.#damaged.delete(digest.key);
  }
}
