import { decodeChunkRecord } from "../chunks/chunk-record.ts";
import { inBatches } from "../concurrency/in-batches.ts";
import { type B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { RecordChunkListStore } from "../records/chunk-list-store.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNKS, DAMAGED_CHUNKS } from "../records/tables.ts";

/** Chunks that are looked up together. */
const TOGETHER = 500;

/** Looks whether blobs are there, as far as records tell. */
export class BlobCheck {
  readonly #records: RecordStore;
  readonly #lists: RecordChunkListStore;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#lists = new RecordChunkListStore(records);
  }

  /** Looks at a blob. @throws CastoreError INCOMPLETE, CORRUPT when it cannot be read */
  async blob(digest: B3Digest): Promise<void> {
    if (digest.equals(EMPTY_DIGEST) || (await this.list(digest))) return;
    await this.#chunks([{ digest }]);
  }

  /**
   * Looks at the chunk list of a blob, and whether its chunks are there.
   *
   * @returns whether it has one
   * @throws as {@link blob}
   */
  async list(digest: B3Digest): Promise<boolean> {
    const count = await this.#lists.count(digest);
    if (count === undefined) return false;
    let found = 0;
    for await (const chunks of inBatches(this.#lists.read(digest, 0), TOGETHER)) {
      found += chunks.length;
      await this.#chunks(chunks);
    }
    if (found === count) return true;
    throw new CastoreError("CORRUPT", `the list of blob ${digest} has ${found} chunks, and states ${count}`);
  }

  async #chunks(chunks: readonly { readonly digest: B3Digest; readonly size?: number }[]): Promise<void> {
    const keys = chunks.flatMap(({ digest }) => [CHUNKS.keyOf(digest), DAMAGED_CHUNKS.keyOf(digest)]);
    const found = await this.#records.getMany(keys);
    for (const [index, { digest, size }] of chunks.entries()) {
      const [record, damage] = found.slice(2 * index, 2 * index + 2);
      if (record === undefined) throw new CastoreError("INCOMPLETE", `chunk ${digest} is missing`);
      if (damage !== undefined) throw new CastoreError("CORRUPT", `chunk ${digest} is damaged`);
      const actual = decodeChunkRecord(record, digest).size;
      if (size === undefined || actual === size) continue;
      throw new CastoreError("CORRUPT", `chunk ${digest} has ${actual} bytes, the list states ${size}`);
    }
  }
}
