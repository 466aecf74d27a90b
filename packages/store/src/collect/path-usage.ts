import { encodeHex } from "@tvix/byte-stream";
import type { RecordChange, RecordStore } from "@tvix/castore";
import { LRUCache } from "lru-cache";
import { USES } from "../records/tables.ts";

/** How exact a last use is, in milliseconds: one within this time after another is not written again. */
const EXACT_MS = 3_600_000;

/** Paths of which is remembered that their use was written. */
const REMEMBERED = 100_000;

/**
 * Keeps in mind when store paths were last used. Uses of one turn of the event loop are one write, for which nobody
 * waits; one that cannot be written is lost.
 */
export class PathUsage {
  readonly #records: RecordStore;
  /** When a use was written last, by path digest. */
  readonly #written = new LRUCache<string, number>({ max: REMEMBERED });
  readonly #pending: Map<string, Uint8Array> = new Map();
  #writing: Promise<void> | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** @param digest of a store path that is there */
  note(digest: Uint8Array): void {
    const key = encodeHex(digest);
    const now = Date.now();
    if (Math.abs(now - (this.#written.get(key) ?? 0)) < EXACT_MS) return;
    this.#written.set(key, now);
    this.#pending.set(key, digest);
    this.#writing ??= this.#write();
  }

  /** A path is used no more: its next use is written, whenever it comes. */
  forget(digest: Uint8Array): void {
    this.#written.delete(encodeHex(digest));
  }

  /** Waits until what was noted is written. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const now = Date.now();
    const changes: RecordChange[] = [...this.#pending.values()].map((digest) => USES.put(digest, now));
    this.#pending.clear();
    this.#writing = undefined;
    // It is a hint: whoever asks for a path does not fail because nothing can be written.
    await this.#records.write(changes).catch(() => {});
  }
}
