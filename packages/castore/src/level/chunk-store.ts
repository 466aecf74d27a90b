import { type ChunkCodec, RAW_CODEC } from "../blob/chunk-codec.ts";
import type { ChunkStore } from "../blob/chunk-store.ts";
import { decodeVerified } from "../blob/verify-chunk.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { decodeInline, encodeInline } from "./chunk-record.ts";
import { DamagedChunks } from "./damaged-chunks.ts";
import { type Database, keyOf, keyPrefix } from "./database.ts";

/** Key prefix of chunks. */
export const CHUNK: Uint8Array = keyPrefix("c1");

/** Chunks in a Level database, for browsers and tests; packs are faster where there are files. */
export class LevelChunkStore implements ChunkStore {
  readonly #database: Database;
  readonly #codec: ChunkCodec;
  readonly #damaged: DamagedChunks;

  private constructor(database: Database, codec: ChunkCodec, damaged: DamagedChunks) {
    this.#database = database;
    this.#codec = codec;
    this.#damaged = damaged;
  }

  /** The chunks of a database, which has to be open. */
  static async open(database: Database, codec: ChunkCodec = RAW_CODEC): Promise<LevelChunkStore> {
    return new LevelChunkStore(database, codec, await DamagedChunks.open(database));
  }

  async has(digest: B3Digest): Promise<boolean> {
    return !this.#damaged.has(digest) && (await this.#database.has(keyOf(CHUNK, digest.bytes)));
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    const record = await this.#database.get(keyOf(CHUNK, digest.bytes));
    if (record === undefined) return undefined;
    try {
      return await decodeVerified(this.#codec, digest, decodeInline(record, digest));
    } catch (error) {
      await this.#damaged.add(digest);
      throw error;
    }
  }

  async write(digest: B3Digest, bytes: Uint8Array): Promise<void> {
    const encoded = await this.#codec.encode(bytes);
    const record = encodeInline(encoded);
    encoded.release();
    const put = { type: "put", key: keyOf(CHUNK, digest.bytes), value: record } as const;
    await this.#database.write([put, ...this.#damaged.mending(digest)]);
    this.#damaged.remove(digest);
  }
}
