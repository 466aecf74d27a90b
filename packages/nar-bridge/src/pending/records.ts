import { isDamage, type RecordStore, type TableEntry } from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";
import { PENDING_NARINFOS, type PendingKey, type PendingRecord } from "../tables.ts";
import type { PendingNarInfo, PendingNarInfos } from "./pending-narinfos.ts";

/** Bytes of narinfos that are kept, in all. */
const MAX_BYTES = 64 << 20;

/** How long a count holds of records that others may change as well, and how soon they are counted again, in milliseconds. */
const COUNTED_MS = 600_000;
const LEAST_COUNTED_MS = 5_000;

/** {@link PendingNarInfos} as records: up to 64 MiB of them. */
export class RecordPendingNarInfos implements PendingNarInfos {
  readonly #records: RecordStore;
  readonly #maxBytes: number;
  /** Counted when it is first needed, and kept up from then on. */
  #counted: Promise<void> | undefined;
  #countedAt = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor(records: RecordStore, { maxBytes = MAX_BYTES }: { readonly maxBytes?: number } = {}) {
    this.#records = records;
    this.#maxBytes = maxBytes;
  }

  async put({ digest, narHash, text }: PendingNarInfo): Promise<boolean> {
    const put = PENDING_NARINFOS.put({ digest, narHash }, { time: Date.now(), text });
    await this.#count();
    const known = await this.#records.get(put.key);
    const more = put.value.length - (known?.length ?? 0);
    if (this.#bytes + more > this.#maxBytes && !(await this.#hasRoom(more))) return false;
    // Taken before it is written: others may be on their way as well.
    this.#bytes += more;
    let isDone = false;
    try {
      isDone = await this.#records.write([put], [{ key: put.key, value: known }]);
    } finally {
      if (!isDone) this.#bytes -= more;
    }
    // Somebody else was faster, with the same or with another.
    return isDone || (await this.put({ digest, narHash, text }));
  }

  async of(narHash: NixHash): Promise<readonly PendingNarInfo[]> {
    const found: PendingNarInfo[] = [];
    for await (const entry of PENDING_NARINFOS.entries(this.#records, narHash.digest)) {
      const text = recordOf(entry)?.text;
      if (text !== undefined) found.push({ digest: entry.key().digest, narHash, text });
    }
    return found;
  }

  async remove(pending: PendingKey): Promise<void> {
    await this.#remove(PENDING_NARINFOS.keyOf(pending));
  }

  async expire(before: number): Promise<void> {
    for await (const entry of PENDING_NARINFOS.entries(this.#records)) {
      // One that is damaged can be sent again.
      if ((recordOf(entry)?.time ?? 0) < before) await this.#remove(entry.remove().key);
    }
  }

  async #remove(key: Uint8Array): Promise<void> {
    await this.#count();
    const value = await this.#records.get(key);
    if (value === undefined) return;
    // Only one of several who remove it counts it; one that has come anew stays.
    if (await this.#records.write([{ type: "del", key }], [{ key, value }])) this.#bytes -= value.length;
  }

  async #count(): Promise<void> {
    // Others count theirs only, so what is known here is out of date after a while.
    if (performance.now() - this.#countedAt > COUNTED_MS) this.#counted = undefined;
    this.#counted ??= this.#countAll();
    await this.#counted;
  }

  /** Counts again, where that was done a moment ago: another process may have removed some. */
  async #hasRoom(bytes: number): Promise<boolean> {
    if (performance.now() - this.#countedAt > LEAST_COUNTED_MS) {
      this.#counted = this.#countAll();
      await this.#counted;
    }
    return this.#bytes + bytes <= this.#maxBytes;
  }

  async #countAll(): Promise<void> {
    this.#countedAt = performance.now();
    let bytes = 0;
    for await (const { length } of PENDING_NARINFOS.entries(this.#records)) bytes += length;
    this.#bytes = bytes;
  }
}

/** A record; undefined when it is damaged. */
function recordOf(entry: TableEntry<PendingKey, PendingRecord>): PendingRecord | undefined {
  try {
    return entry.value();
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
