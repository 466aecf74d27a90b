import {
  isDamage,
  type OperationOptions,
  type RecordStore,
  type Table,
  type TableEntry,
} from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { KnownNar, Lasting, NarFileRecord, NarIndex } from "../nar-index/nar-index.ts";
import { FILES, NARS, type NarRecord, OLD_FILES } from "./tables.ts";

/** A {@link NarIndex} as records. */
export class RecordNarIndex implements NarIndex {
  readonly #records: RecordStore;
  /** What was put while entries expire: it stays. */
  #renewed: Set<string> | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async get(narHash: NixHash, { signal }: OperationOptions = {}): Promise<(KnownNar & Lasting) | undefined> {
    signal?.throwIfAborted();
    try {
      const found = await NARS.get(this.#records, narHash);
      if (found === undefined) return undefined;
      const { node, narSize, time } = found;
      return { narHash, narSize, node, lasting: time === 0 };
    } catch (cause) {
      if (!isDamage(cause)) throw cause;
      throw new StoreError("CORRUPT", `the record of the NAR ${narHash} is damaged`, { cause });
    }
  }

  async put(nar: KnownNar & Lasting, { signal }: OperationOptions = {}): Promise<void> {
    const { narHash, node, narSize } = nar;
    const lasting = nar.lasting || (await this.#lasts(narHash));
    signal?.throwIfAborted();
    this.#renewed?.add(nameOf(NARS, narHash));
    await this.#records.write([NARS.put(narHash, { node, narSize, time: lasting ? 0 : Date.now() })]);
  }

  async getFile(fileHash: NixHash, { signal }: OperationOptions = {}): Promise<NarFileRecord | undefined> {
    signal?.throwIfAborted();
    // A file whose record is damaged can be uploaded again.
    const { value, isThere } = await FILES.look(this.#records, fileHash);
    return isThere ? value : await OLD_FILES.find(this.#records, fileHash);
  }

  async putFile(fileHash: NixHash, file: NarFileRecord, { signal }: OperationOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    this.#renewed?.add(nameOf(FILES, fileHash));
    await this.#records.write([FILES.put(fileHash, file)]);
  }

  async expire(before: number): Promise<number> {
    this.#renewed = new Set();
    try {
      let expired = 0;
      for await (const entry of NARS.entries(this.#records)) {
        if (!isOlder(entry, before) || this.#isRenewed(NARS, entry)) continue;
        await this.#records.write([entry.remove()]);
        expired++;
      }
      for await (const entry of FILES.entries(this.#records)) {
        if ((await this.#hasNarOf(entry)) || this.#isRenewed(FILES, entry)) continue;
        await this.#records.write([entry.remove()]);
      }
      return expired;
    } finally {
      this.#renewed = undefined;
    }
  }

  #isRenewed<V>(table: Table<NixHash, V>, entry: TableEntry<NixHash, V>): boolean {
    return (
      this.#renewed !== undefined && this.#renewed.size > 0 && this.#renewed.has(nameOf(table, entry.key()))
    );
  }

  /** Whether a NAR is known for good. A damaged record is not, and is written anew. */
  async #lasts(narHash: NixHash): Promise<boolean> {
    try {
      return (await NARS.get(this.#records, narHash))?.time === 0;
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }

  /** Whether the NAR of a file is known; one of a damaged record is not. */
  async #hasNarOf(entry: TableEntry<NixHash, NarFileRecord>): Promise<boolean> {
    try {
      return await NARS.has(this.#records, entry.value().narHash);
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }
}

function isOlder(entry: TableEntry<NixHash, NarRecord>, before: number): boolean {
  try {
    const { time } = entry.value();
    return time !== 0 && time < before;
  } catch (error) {
    // Nobody can use it, and it is written anew with the next upload.
    if (isDamage(error)) return true;
    throw error;
  }
}

function nameOf<V>({ declaration }: Table<NixHash, V>, hash: NixHash): string {
  return `${declaration.prefix} ${hash}`;
}
