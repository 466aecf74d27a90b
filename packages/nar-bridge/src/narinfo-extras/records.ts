import { equalBytes } from "@tvix/byte-stream";
import type { OperationOptions, RecordStore } from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";
import { EXTRAS } from "../tables.ts";
import { type NarInfoExtras, type NarInfoExtrasService, NO_EXTRAS } from "./narinfo-extras.ts";

/** {@link NarInfoExtrasService} as records. */
export class RecordNarInfoExtras implements NarInfoExtrasService {
  readonly #records: RecordStore;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async get(digest: Uint8Array, narHash: NixHash, { signal }: OperationOptions = {}): Promise<NarInfoExtras> {
    signal?.throwIfAborted();
    // The path can be had without them.
    const found = await EXTRAS.find(this.#records, digest);
    if (found === undefined || !equalBytes(found.narHash, narHash.digest)) return NO_EXTRAS;
    const { fields, plain } = found;
    return { fields, plain };
  }

  async put(
    digest: Uint8Array,
    narHash: NixHash,
    extras: NarInfoExtras,
    { signal }: OperationOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    if (extras.fields.length > 0 || extras.plain) {
      await this.#records.write([EXTRAS.put(digest, { ...extras, narHash: narHash.digest })]);
    } else if (await EXTRAS.has(this.#records, digest)) {
      // Nearly every path has none, and nothing needs to be written then.
      await this.#records.write([EXTRAS.remove(digest)]);
    }
  }
}
