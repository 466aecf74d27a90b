import type { OperationOptions, RecordStore } from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";
import { OFFERS } from "../tables.ts";
import type { Offer, Offers } from "./offers.ts";

/** {@link Offers} as records. */
export class RecordOffers implements Offers {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async get(narHash: NixHash, { signal }: OperationOptions = {}): Promise<Offer | undefined> {
    signal?.throwIfAborted();
    // Where it is damaged, the upstream can be asked again.
    return await OFFERS.find(this.#records, narHash);
  }

  async put(narHash: NixHash, offer: Offer, { signal }: OperationOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await this.#records.write([OFFERS.put(narHash, offer)]);
  }

  async remove(narHash: NixHash): Promise<void> {
    await this.#records.write([OFFERS.remove(narHash)]);
  }
}
