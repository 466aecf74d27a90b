import type { NixHash } from "@tvix/nix-compat";

/** A narinfo that came before its NAR. */
export interface PendingNarInfo {
  /** Of its store path, 20 bytes. */
  readonly digest: Uint8Array;
  readonly narHash: NixHash;
  readonly text: string;
}

/**
 * Narinfos whose NARs have not come yet: a binary cache in files may be uploaded in any order.
 * Nobody is told of the paths until then.
 */
export interface PendingNarInfos {
  /**
   * Keeps a narinfo, in place of an earlier one of the same path and NAR; durable on return.
   *
   * @returns false when too much is kept already
   */
  put(pending: PendingNarInfo): Promise<boolean>;
  /** Those of a NAR. */
  of(narHash: NixHash): Promise<readonly PendingNarInfo[]>;
  remove(pending: Pick<PendingNarInfo, "digest" | "narHash">): Promise<void>;
  /**
   * Removes those that were put before a moment.
   *
   * @param before in milliseconds since 1970
   */
  expire(before: number): Promise<void>;
}
