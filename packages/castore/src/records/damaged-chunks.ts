import type { B3Digest } from "../digest/b3-digest.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";
import { DAMAGED_CHUNKS, FACTS } from "./tables.ts";

/** How often a chunk was found damaged, or was written anew (u64, big-endian). */
const VERSION = "stored-version";

/** Beyond any version that is ever saved. */
const UNSAVED = 2 ** 40;

/**
 * Chunks that are known to be damaged or lost, through restarts: they count as absent until they
 * are written again.
 */
export class DamagedChunks {
  readonly #records: RecordStore;
  readonly #keys: Set<string>;
  #version: bigint;
  /** Whether the version that is stored is an older one. */
  #isUnsaved = false;

  private constructor(records: RecordStore, keys: Set<string>, version: bigint) {
    this.#records = records;
    this.#keys = keys;
    this.#version = version;
  }

  /**
   * Reads what is known.
   *
   * @param onDamaged called with each
   */
  static async open(
    records: RecordStore,
    onDamaged: (digest: B3Digest) => Promise<void> = async () => {},
  ): Promise<DamagedChunks> {
    const keys = new Set<string>();
    for await (const entry of DAMAGED_CHUNKS.entries(records)) {
      const digest = entry.key();
      keys.add(digest.key);
      await onDamaged(digest);
    }
    const stored = await FACTS.get(records, VERSION);
    const version = stored?.length === 8 ? new DataView(stored.slice().buffer).getBigUint64(0) : 0n;
    return new DamagedChunks(records, keys, version);
  }

  /** Changes whenever a chunk is found damaged, or one that was is written anew. */
  get version(): number {
    // What is kept under a version that is not saved must not be believed by a later process.
    return Number(this.#version) + (this.#isUnsaved ? UNSAVED : 0);
  }

  has(digest: B3Digest): boolean {
    return this.#keys.size > 0 && this.#keys.has(digest.key);
  }

  /** Notes a chunk: at once for this process, and for later ones where it can be stored. */
  async add(digest: B3Digest): Promise<void> {
    if (this.has(digest)) return;
    this.#keys.add(digest.key);
    // A full disk does not keep anybody from being told what is damaged.
    try {
      await this.#records.write([DAMAGED_CHUNKS.put(digest, undefined), this.#nextVersion()]);
      this.#isUnsaved = false;
    } catch {
      this.#isUnsaved = true;
    }
  }

  /** What belongs into the batch that writes a chunk; then {@link remove} follows. */
  mending(digest: B3Digest): readonly RecordChange[] {
    if (!this.has(digest)) return [];
    return [DAMAGED_CHUNKS.remove(digest), this.#nextVersion()];
  }

  /** The chunk has been written. */
  remove(digest: B3Digest): void {
    if (this.#keys.size === 0 || !this.#keys.delete(digest.key)) return;
    this.#isUnsaved = false;
  }

  #nextVersion(): RecordChange {
    this.#version++;
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigUint64(0, this.#version);
    return FACTS.put(VERSION, value);
  }
}
