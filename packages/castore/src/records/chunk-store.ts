import { type ChunkCodec, RAW_CODEC } from "../blob/chunk-codec.ts";
import type { ChunkStore } from "../blob/chunk-store.ts";
import { decodeVerified } from "../blob/verify-chunk.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { decodeInline, encodeInline } from "./chunk-record.ts";
import { DamagedChunks } from "./damaged-chunks.ts";
import type { RecordStore } from "./record-store.ts";
import { CHUNKS } from "./tables.ts";

/** Chunks as records, for browsers and tests; packs are faster where there are files. */
export class RecordChunkStore implements ChunkStore {
  readonly #records: RecordStore;
  readonly #codec: ChunkCodec;
  readonly #damaged: DamagedChunks;

  private constructor(records: RecordStore, codec: ChunkCodec, damaged: DamagedChunks) {
    this.#records = records;
    this.#codec = codec;
    this.#damaged = damaged;
  }

  /** The chunks in a store, and what is known of their damage. */
  static async open(records: RecordStore, codec: ChunkCodec = RAW_CODEC): Promise<RecordChunkStore> {
    return new RecordChunkStore(records, codec, await DamagedChunks.open(records));
  }

  async has(digest: B3Digest): Promise<boolean> {
    return !this.#damaged.has(digest) && (await CHUNKS.has(this.#records, digest));
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    const record = await CHUNKS.get(this.#records, digest);
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
    await this.#records.write([CHUNKS.put(digest, record), ...this.#damaged.mending(digest)]);
    this.#damaged.remove(digest);
  }
}
