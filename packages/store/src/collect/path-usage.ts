import { encodeHex } from "@tvix/byte-stream";
import type { RecordStore } from "@tvix/castore";
import { LRUCache } from "lru-cache";
import { DeferredWrites } from "../records/deferred-writes.ts";
import { USES } from "../records/tables.ts";

/** How exact a last use is, in milliseconds: one within this time after another is not written again. */
const EXACT_MS = 3_600_000;

/** Paths of which is remembered that their use was written. */
const REMEMBERED = 100_000;

/** Keeps in mind when store paths were last used. It is a hint: nobody waits for its writes. */
export class PathUsage {
  readonly #writes: DeferredWrites;
  /** When a use was written last, by path digest. */
  readonly #written = new LRUCache<string, number>({ max: REMEMBERED });

  constructor(records: RecordStore) {
    this.#writes = new DeferredWrites(records);
  }

  /** @param digest of a store path that is there */
  note(digest: Uint8Array): void {
    const key = encodeHex(digest);
    const now = Date.now();
    if (Math.abs(now - (this.#written.get(key) ?? 0)) < EXACT_MS) return;
    this.#written.set(key, now);
    this.#writes.add(USES.put(digest, now));
  }

  /** A path is used no more: its next use is written, whenever it comes. */
  forget(digest: Uint8Array): void {
    this.#written.delete(encodeHex(digest));
  }

  /** Waits until what was noted is written. */
  async flush(): Promise<void> {
    await this.#writes.flush();
  }
}
