import { equalBytes } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { CHUNKS, DAMAGED_CHUNKS, FACTS } from "../records/tables.ts";
import { decodeChunkRecord } from "./chunk-record.ts";

/** Drawn anew whenever a chunk is found damaged, or one that was is written again (u64, big-endian). */
const VERSION = "stored-version";

/**
 * Chunks that are known to be damaged or lost, through restarts: they count as absent until they
 * are written again. Where one chunk of an extent is damaged, others often are as well.
 */
export class DamagedChunks {
  readonly #records: RecordStore;
  #keys: Set<string> = new Set();
  readonly #suspectExtents: Set<number> = new Set();
  #version = 0;

  /** @param records in which nothing is known to be damaged; else {@link open} */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** Reads what is known. */
  static async open(records: RecordStore): Promise<DamagedChunks> {
    const damaged = new DamagedChunks(records);
    await damaged.#read(await damaged.#readVersion());
    return damaged;
  }

  /** Reads what other processes have found, or written anew. */
  async refresh(): Promise<void> {
    const version = await this.#readVersion();
    if (version !== this.#version) await this.#read(version);
  }

  async #read(version: number): Promise<void> {
    const found = new Set<string>();
    for await (const entry of DAMAGED_CHUNKS.entries(this.#records)) {
      const digest = entry.key();
      found.add(digest.key);
      const record = await CHUNKS.get(this.#records, digest);
      if (record !== undefined) this.#suspect(record, digest);
    }
    this.#keys = found;
    this.#version = version;
  }

  async #readVersion(): Promise<number> {
    const stored = await FACTS.get(this.#records, VERSION);
    return stored?.length === 8 ? Number(new DataView(stored.slice().buffer).getBigUint64(0)) : 0;
  }

  /** Another one whenever a chunk is found damaged, or one that was is written anew. */
  get version(): number {
    return this.#version;
  }

  has(digest: B3Digest): boolean {
    return this.#keys.size > 0 && this.#keys.has(digest.key);
  }

  /** Whether something in an extent was found damaged. */
  isSuspect(extent: number): boolean {
    return this.#suspectExtents.has(extent);
  }

  /**
   * Notes a chunk that cannot be read: at once for this process, and for later ones where that can be stored.
   *
   * @param found the record that led to the damage: the chunk may have been written anew since
   */
  async add(digest: B3Digest, found: Uint8Array): Promise<void> {
    if (this.has(digest)) return;
    const isAsFound = { key: CHUNKS.keyOf(digest), value: found };
    const record = await this.#records.get(isAsFound.key);
    if (record === undefined || !equalBytes(record, found)) return;
    const changes = [DAMAGED_CHUNKS.put(digest, undefined), this.#nextVersion()];
    // A full disk does not keep anybody from being told what is damaged.
    const isStill = await this.#records.write(changes, [isAsFound]).catch(() => true);
    if (!isStill) return;
    this.#suspect(record, digest);
    this.#keys.add(digest.key);
  }

  /** What belongs into the batch that writes a chunk; then {@link remove} follows. */
  mending(digest: B3Digest): readonly RecordChange[] {
    if (!this.has(digest)) return [];
    return [DAMAGED_CHUNKS.remove(digest), this.#nextVersion()];
  }

  /** That a chunk is known to be damaged, to every process. */
  isNoted(digest: B3Digest): RecordCondition {
    const { key, value } = DAMAGED_CHUNKS.put(digest, undefined);
    return { key, value };
  }

  /** The chunk has been written. */
  remove(digest: B3Digest): void {
    if (this.#keys.size > 0) this.#keys.delete(digest.key);
  }

  #suspect(record: Uint8Array, digest: B3Digest): void {
    try {
      const place = decodeChunkRecord(record, digest);
      if ("extent" in place) this.#suspectExtents.add(place.extent);
    } catch {
      // A damaged record leads nowhere.
    }
  }

  /** Random, so that no two processes ever draw the same, and one that could not be stored is never believed. */
  #nextVersion(): RecordChange {
    const value = new Uint8Array(8);
    crypto.getRandomValues(value.subarray(2));
    this.#version = Number(new DataView(value.buffer).getBigUint64(0));
    return FACTS.put(VERSION, value);
  }
}
