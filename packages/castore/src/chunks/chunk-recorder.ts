import { equalBytes } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { Extents } from "../extents/extents.ts";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { CHUNKS, CONDEMNED } from "../records/tables.ts";
import type { FreshlyEncoded } from "./chunk-codec.ts";
import { encodeInline, encodeLocation } from "./chunk-record.ts";
import type { DamagedChunks } from "./damaged-chunks.ts";

/** What a {@link ChunkRecorder} works on. */
export interface ChunkRecorderParts {
  readonly records: RecordStore;
  readonly extents: Extents | undefined;
  /** Longest stored form that is kept in the record itself, in bytes. */
  readonly inlineBytes: number;
  readonly damaged: DamagedChunks;
  /**
   * Whether a chunk is where its record says, where other processes write records as well: then it stays as it is.
   * Undefined: nobody else does.
   */
  readonly isThere: ((digest: B3Digest) => Promise<boolean>) | undefined;
}

/** The record of a chunk that lies where it belongs, and what has to hold for it to be written. */
interface PlacedRecord {
  readonly put: RecordChange;
  readonly conditions: readonly RecordCondition[];
}

/** Puts chunks where they belong, and records where that is. */
export class ChunkRecorder {
  readonly #parts: ChunkRecorderParts;

  constructor(parts: ChunkRecorderParts) {
    this.#parts = parts;
  }

  /**
   * Stores a chunk, and releases it.
   *
   * @returns false when somebody else has stored it meanwhile
   * @throws CastoreError UNAVAILABLE when it took so long that its place was given up
   */
  async record(digest: B3Digest, encoded: FreshlyEncoded): Promise<boolean> {
    const placed = await this.#place(digest, encoded);
    const { isThere } = this.#parts;
    if (isThere !== undefined) return await this.#writeFirst(digest, placed, isThere);
    await this.#write(digest, placed);
    return true;
  }

  /** What goes when a chunk is written that was there, and is damaged; nothing else that is there is written. */
  mending(digest: B3Digest): readonly RecordChange[] {
    const changes = this.#parts.damaged.mending(digest);
    return changes.length === 0 ? [] : [...changes, CONDEMNED.remove({ kind: "chunk", digest })];
  }

  async #place(digest: B3Digest, encoded: FreshlyEncoded): Promise<PlacedRecord> {
    const { extents, inlineBytes } = this.#parts;
    if (extents === undefined || encoded.payload.length <= inlineBytes) {
      const value = encodeInline(encoded);
      encoded.release();
      return { put: CHUNKS.put(digest, value), conditions: [] };
    }
    const location = await extents.append(digest, encoded);
    const conditions = (await extents.conditionsOf?.(location.extent)) ?? [];
    return { put: CHUNKS.put(digest, encodeLocation(location)), conditions };
  }

  async #write(digest: B3Digest, { put, conditions }: PlacedRecord): Promise<void> {
    if (await this.#parts.records.write([put, ...this.mending(digest)], conditions)) return;
    throw new CastoreError(
      "UNAVAILABLE",
      `chunk ${digest} took so long that its place was given up: try again`,
    );
  }

  /** Writes the record of a chunk unless somebody else has, and theirs leads to it. @returns whether it is ours */
  async #writeFirst(
    digest: B3Digest,
    { put, conditions }: PlacedRecord,
    isThere: (digest: B3Digest) => Promise<boolean>,
  ): Promise<boolean> {
    const { records, damaged } = this.#parts;
    for (;;) {
      const value = await records.get(put.key);
      if (value !== undefined && !damaged.has(digest) && (await isThere(digest))) return false;
      const asFound = [{ key: put.key, value }, ...conditions];
      if (await records.write([put, ...this.mending(digest)], asFound)) return true;
      const now = await records.get(put.key);
      // Nobody was quicker: it is the place that is not there any more.
      const isSame = now === undefined || value === undefined ? now === value : equalBytes(now, value);
      if (!isSame) continue;
      await this.#write(digest, { put, conditions: asFound });
      return true;
    }
  }
}
