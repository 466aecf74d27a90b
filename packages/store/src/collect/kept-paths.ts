import type { RecordStore } from "@tvix/castore";
import type { PathInfo } from "../path-info/path-info.ts";
import { PATH_INFOS } from "../records/tables.ts";

/**
 * Store paths that are kept, with all that they refer to; in records of its own, so that memory does not grow with
 * their number.
 */
export class KeptPaths {
  readonly #records: RecordStore;
  readonly #scratch: RecordStore;
  readonly #onKept: (info: PathInfo) => Promise<void>;

  /**
   * @param scratch is empty, and nobody else's
   * @param onKept called for each path, once
   */
  constructor(
    records: RecordStore,
    scratch: RecordStore,
    onKept: (info: PathInfo) => Promise<void> = async () => {},
  ) {
    this.#records = records;
    this.#scratch = scratch;
    this.#onKept = onKept;
  }

  has(digest: Uint8Array): Promise<boolean> {
    return this.#scratch.has(digest);
  }

  /**
   * Keeps a path and all that it refers to, as far as it is there.
   *
   * @returns the paths that were not kept before
   * @throws CastoreError CORRUPT
   */
  async keep(digest: Uint8Array): Promise<readonly Uint8Array[]> {
    const added: Uint8Array[] = [];
    const waiting = [digest];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (await this.#scratch.has(next)) continue;
      const info = await PATH_INFOS.get(this.#records, next);
      if (info === undefined) continue;
      await this.#scratch.write([{ type: "put", key: next, value: NOTHING }]);
      added.push(next);
      await this.#onKept(info);
      for (const reference of info.references) waiting.push(reference.digest);
    }
    return added;
  }

  /** Keeps some paths no longer; what they refer to stays. */
  async forget(digests: readonly Uint8Array[]): Promise<void> {
    await this.#scratch.write(digests.map((key) => ({ type: "del", key })));
  }
}

const NOTHING = new Uint8Array(0);
