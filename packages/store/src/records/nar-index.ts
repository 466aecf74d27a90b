import { isDamage, type OperationOptions, type RecordStore, type TableEntry } from "@tvix/castore";
import { claimed } from "@tvix/castore/backend";
import type { NixHash } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { KnownNar, Lasting, NarFileRecord, NarIndex } from "../nar-index/nar-index.ts";
import { FILES, NARS, type NarRecord, OLD_FILES } from "./nar-tables.ts";

/** A {@link NarIndex} as records. */
export class RecordNarIndex implements NarIndex {
  readonly #records: RecordStore;

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
    const { narHash, node, narSize, lasting } = nar;
    signal?.throwIfAborted();
    // What lasts for somebody is never taken back by somebody else.
    const change = (known: NarRecord | undefined) => {
      return { node, narSize, time: lasting || known?.time === 0 ? 0 : Date.now() };
    };
    await NARS.update(this.#records, narHash, change, (next) => claimed(this.#records, next.node));
  }

  async getFile(fileHash: NixHash, { signal }: OperationOptions = {}): Promise<NarFileRecord | undefined> {
    signal?.throwIfAborted();
    // A file whose record is damaged can be uploaded again.
    const { value, isThere } = await FILES.look(this.#records, fileHash);
    return isThere ? value : await OLD_FILES.find(this.#records, fileHash);
  }

  async putFile(fileHash: NixHash, file: NarFileRecord, { signal }: OperationOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await this.#records.write([FILES.put(fileHash, file)]);
  }

  async expire(before: number): Promise<number> {
    let expired = 0;
    for await (const entry of NARS.entries(this.#records)) {
      if (!isOlder(entry, before)) continue;
      // One that was put again meanwhile stays.
      if (await this.#records.write([entry.remove()], [entry.isUnchanged()])) expired++;
    }
    for await (const entry of FILES.entries(this.#records)) {
      const narHash = narHashOf(entry);
      if (narHash !== undefined && (await NARS.has(this.#records, narHash))) continue;
      const isOrphan = narHash === undefined ? [] : [NARS.isAbsent(narHash)];
      await this.#records.write([entry.remove()], [entry.isUnchanged(), ...isOrphan]);
    }
    return expired;
  }
}

/** The NAR of a file; undefined for a damaged record. */
function narHashOf(entry: TableEntry<NixHash, NarFileRecord>): NixHash | undefined {
  try {
    return entry.value().narHash;
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
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
