import { CastoreError, type OperationOptions } from "@tvix/castore";
import { type Database, derivedKeyPrefix, keyOf, seal, unseal } from "@tvix/castore/level";
import type { NixHash } from "@tvix/nix-compat";
import type { Offer, Offers } from "./offers.ts";

/** Key prefix; SHA-256 of the NAR follows. */
const OFFER = derivedKeyPrefix("o1");

/** {@link Offers} in a Level database: address, line feed, narinfo. */
export class LevelOffers implements Offers {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(narHash: NixHash, { signal }: OperationOptions = {}): Promise<Offer | undefined> {
    signal?.throwIfAborted();
    const key = keyOf(OFFER, narHash.digest);
    const sealed = await this.#database.get(key);
    if (sealed === undefined) return undefined;
    try {
      const text = new TextDecoder().decode(unseal(key, sealed, `the offer of ${narHash}`));
      const end = text.indexOf("\n");
      return { upstream: text.slice(0, end), narInfo: text.slice(end + 1) };
    } catch (error) {
      // The upstream can be asked again.
      if (CastoreError.is(error)) return undefined;
      throw error;
    }
  }

  async put(
    narHash: NixHash,
    { upstream, narInfo }: Offer,
    { signal }: OperationOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    const key = keyOf(OFFER, narHash.digest);
    const value = seal(key, new TextEncoder().encode(`${upstream}\n${narInfo}`));
    await this.#database.write([{ type: "put", key, value }]);
  }

  async remove(narHash: NixHash): Promise<void> {
    await this.#database.write([{ type: "del", key: keyOf(OFFER, narHash.digest) }]);
  }
}
