import type { OperationOptions } from "@tvix/castore";
import type { Field } from "@tvix/narinfo";
import type { NixHash } from "@tvix/nix-compat";

/** What a narinfo said beyond what a PathInfo has a place for. */
export interface NarInfoExtras {
  /** Its system, unknown fields and the like, as `extraFieldsOf` of `@tvix/narinfo` tells them. */
  readonly fields: readonly Field[];
  /**
   * Whether the path is always offered uncompressed: its narinfo was given out before its NAR was
   * here, and goes on to be the same.
   */
  readonly plain: boolean;
}

/** There is nothing beyond. */
export const NO_EXTRAS: NarInfoExtras = { fields: [], plain: false };

/** Extras of narinfos, by the digest of the store path. */
export interface NarInfoExtrasService {
  /**
   * Those of a path; nothing in any field where there are none, or they were of another NAR.
   *
   * @param digest of the store path, 20 bytes
   */
  get(digest: Uint8Array, narHash: NixHash, options?: OperationOptions): Promise<NarInfoExtras>;
  /** Stores them in place of what was; durable on return. */
  put(digest: Uint8Array, narHash: NixHash, extras: NarInfoExtras, options?: OperationOptions): Promise<void>;
}
