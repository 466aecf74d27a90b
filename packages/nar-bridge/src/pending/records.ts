import { CastoreError, type RecordStore, type TableEntry } from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";
import { PENDING_NARINFOS, type PendingKey, type PendingRecord } from "../tables.ts";
import type { PendingNarInfo, PendingNarInfos } from "./pending-narinfos.ts";

/** Bytes of narinfos that are kept, in all. */
const MAX_BYTES = 64 << 20;

/** What each takes beside its text, in bytes. */
const RECORD_BYTES = 100;

/** {@link PendingNarInfos} as records: up to 64 MiB of them. */
export class RecordPendingNarInfos implements PendingNarInfos {
  readonly #records: RecordStore;
  readonly #maxBytes: number;
  /** Counted when it is first needed, and kept up from then on. */
  #counted: Promise<void> | undefined;
  #bytes = 0;

  constructor(records: RecordStore, { maxBytes = MAX_BYTES }: { readonly maxBytes?: number } = {}) {
    this.#records = records;
    this.#maxBytes = maxBytes;
  }

  async put({ digest, narHash, text }: PendingNarInfo): Promise<boolean> {
    const key = { digest, narHash };
    await this.#count();
    const more = bytesOf(text) - (await this.#lengthOf(key));
    if (this.#bytes + more > this.#maxBytes) return false;
    // Taken before it is written: others may be on their way as well.
    this.#bytes += more;
    try {
      await this.#records.write([PENDING_NARINFOS.put(key, { time: Date.now(), text })]);
    } catch (error) {
      this.#bytes -= more;
      throw error;
    }
    return true;
  }

  async of(narHash: NixHash): Promise<readonly PendingNarInfo[]> {
    const found: PendingNarInfo[] = [];
    for await (const entry of PENDING_NARINFOS.entries(this.#records, narHash.digest)) {
      const text = recordOf(entry)?.text;
      if (text !== undefined) found.push({ digest: entry.key.digest, narHash, text });
    }
    return found;
  }

  async remove(key: PendingKey): Promise<void> {
    await this.#count();
    const length = await this.#lengthOf(key);
    if (length === 0) return;
    await this.#records.write([PENDING_NARINFOS.remove(key)]);
    this.#bytes -= length;
  }

  async expire(before: number): Promise<void> {
    for await (const entry of PENDING_NARINFOS.entries(this.#records)) {
      // One that is damaged can be sent again.
      if ((recordOf(entry)?.time ?? 0) < before) await this.remove(entry.key);
    }
  }

  /** What a record counts for; 0 where there is none. */
  async #lengthOf(key: PendingKey): Promise<number> {
    if (!(await PENDING_NARINFOS.has(this.#records, key))) return 0;
    return bytesOf((await PENDING_NARINFOS.find(this.#records, key))?.text);
  }

  async #count(): Promise<void> {
    this.#counted ??= this.#countAll();
    await this.#counted;
  }

  async #countAll(): Promise<void> {
    for await (const entry of PENDING_NARINFOS.entries(this.#records)) {
      this.#bytes += bytesOf(recordOf(entry)?.text);
    }
  }
}

/** What a narinfo counts for; a damaged one for as much as its place. */
function bytesOf(text = ""): number {
  return RECORD_BYTES + text.length;
}

/** A record; undefined when it is damaged. */
function recordOf({ value }: TableEntry<PendingKey, PendingRecord>): PendingRecord | undefined {
  try {
    return value();
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
}
