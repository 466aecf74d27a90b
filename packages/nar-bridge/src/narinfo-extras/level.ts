import { equalBytes } from "@tvix/byte-stream";
import { CastoreError, type OperationOptions } from "@tvix/castore";
import { type Database, keyOf, keyPrefix, seal, unseal } from "@tvix/castore/level";
import { joinFields, splitFields } from "@tvix/narinfo";
import type { NixHash } from "@tvix/nix-compat";
import { type NarInfoExtras, type NarInfoExtrasService, NO_EXTRAS } from "./narinfo-extras.ts";

/** Key prefix; the digest of the store path follows. */
const EXTRAS = keyPrefix("i1");

/** SHA-256 of the NAR, 1 for a path that is always offered uncompressed, lines as in narinfos. */
const PLAIN_AT = 32;
const FIELDS_AT = 33;

/** {@link NarInfoExtrasService} in a Level database. */
export class LevelNarInfoExtras implements NarInfoExtrasService {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(digest: Uint8Array, narHash: NixHash, { signal }: OperationOptions = {}): Promise<NarInfoExtras> {
    signal?.throwIfAborted();
    const key = keyOf(EXTRAS, digest);
    const sealed = await this.#database.get(key);
    return sealed === undefined ? NO_EXTRAS : decode(key, sealed, narHash);
  }

  async put(
    digest: Uint8Array,
    narHash: NixHash,
    { fields, plain }: NarInfoExtras,
    { signal }: OperationOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    const key = keyOf(EXTRAS, digest);
    if (fields.length === 0 && !plain) {
      // Nearly every path has none, and nothing needs to be written then.
      if (await this.#database.has(key)) await this.#database.write([{ type: "del", key }]);
      return;
    }
    const text = new TextEncoder().encode(joinFields(fields));
    const value = new Uint8Array(FIELDS_AT + text.length);
    value.set(narHash.digest);
    value[PLAIN_AT] = plain ? 1 : 0;
    value.set(text, FIELDS_AT);
    await this.#database.write([{ type: "put", key, value: seal(key, value) }]);
  }
}

function decode(key: Uint8Array, sealed: Uint8Array, narHash: NixHash): NarInfoExtras {
  let value: Uint8Array;
  try {
    value = unseal(key, sealed, "what a narinfo says besides");
  } catch (error) {
    // The path can be had without them.
    if (CastoreError.is(error)) return NO_EXTRAS;
    throw error;
  }
  if (!equalBytes(value.subarray(0, PLAIN_AT), narHash.digest)) return NO_EXTRAS;
  const fields = splitFields(new TextDecoder().decode(value.subarray(FIELDS_AT)));
  return { fields, plain: value[PLAIN_AT] === 1 };
}
