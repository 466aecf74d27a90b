import { CastoreError } from "@tvix/castore";
import { type Database, keyOf, keyPrefix, seal, unseal } from "@tvix/castore/level";
import type { NixHash } from "@tvix/nix-compat";
import type { PendingNarInfo, PendingNarInfos } from "./pending-narinfos.ts";

/** Key prefix; SHA-256 of the NAR and the digest of the store path follow. */
const PENDING = keyPrefix("q1");

const HASH_BYTES = 32;

/** Moment of the put in milliseconds (u64, big-endian), then the text. */
const TEXT_AT = 8;

/** Bytes of narinfos that are kept, in all. */
const MAX_BYTES = 64 << 20;

/** {@link PendingNarInfos} in a Level database: up to 64 MiB of them. */
export class LevelPendingNarInfos implements PendingNarInfos {
  readonly #database: Database;
  readonly #maxBytes: number;
  /** Counted when it is first needed, and kept up from then on. */
  #counted: Promise<void> | undefined;
  #bytes = 0;

  constructor(database: Database, { maxBytes = MAX_BYTES }: { readonly maxBytes?: number } = {}) {
    this.#database = database;
    this.#maxBytes = maxBytes;
  }

  async put({ digest, narHash, text }: PendingNarInfo): Promise<boolean> {
    const encoded = new TextEncoder().encode(text);
    const key = keyOf(PENDING, narHash.digest, digest);
    const value = new Uint8Array(TEXT_AT + encoded.length);
    new DataView(value.buffer).setBigUint64(0, BigInt(Date.now()));
    value.set(encoded, TEXT_AT);
    const sealed = seal(key, value);
    await this.#count();
    const more = sealed.length - ((await this.#database.get(key))?.length ?? 0);
    if (this.#bytes + more > this.#maxBytes) return false;
    // Taken before it is written: others may be on their way as well.
    this.#bytes += more;
    try {
      await this.#database.write([{ type: "put", key, value: sealed }]);
    } catch (error) {
      this.#bytes -= more;
      throw error;
    }
    return true;
  }

  async of(narHash: NixHash): Promise<readonly PendingNarInfo[]> {
    const found: PendingNarInfo[] = [];
    for await (const [key, sealed] of this.#database.entries(keyOf(PENDING, narHash.digest))) {
      const text = textOf(key, sealed);
      const digest = key.slice(PENDING.length + HASH_BYTES);
      if (text !== undefined) found.push({ digest, narHash, text });
    }
    return found;
  }

  async remove({ digest, narHash }: Pick<PendingNarInfo, "digest" | "narHash">): Promise<void> {
    await this.#remove(keyOf(PENDING, narHash.digest, digest));
  }

  async expire(before: number): Promise<void> {
    for await (const [key, sealed] of this.#database.entries(keyOf(PENDING))) {
      const time = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength).getBigUint64(0);
      if (time < BigInt(before)) await this.#remove(key);
    }
  }

  async #remove(key: Uint8Array): Promise<void> {
    await this.#count();
    const length = (await this.#database.get(key))?.length;
    if (length === undefined) return;
    await this.#database.write([{ type: "del", key }]);
    this.#bytes -= length;
  }

  async #count(): Promise<void> {
    this.#counted ??= this.#countAll();
    await this.#counted;
  }

  async #countAll(): Promise<void> {
    for await (const [, sealed] of this.#database.entries(keyOf(PENDING))) this.#bytes += sealed.length;
  }
}

/** The text of a narinfo; undefined when it is damaged: it can be sent again. */
function textOf(key: Uint8Array, sealed: Uint8Array): string | undefined {
  try {
    return new TextDecoder().decode(unseal(key, sealed, "a pending narinfo").subarray(TEXT_AT));
  } catch (error) {
    if (CastoreError.is(error)) return undefined;
    throw error;
  }
}
