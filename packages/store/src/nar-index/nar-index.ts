import type { Node, OperationOptions } from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";

/** A NAR whose contents are in the store. */
export interface KnownNar {
  /** SHA-256 of the NAR. */
  readonly narHash: NixHash;
  /** Length of the NAR, in bytes. */
  readonly narSize: number;
  /** Its contents. */
  readonly node: Node;
}

/** How long something is known. */
export interface Lasting {
  /** False for what came before the store path that it is for; it may be forgotten after a while. */
  readonly lasting: boolean;
}

/**
 * Which contents a NAR has, by its hash. Nix sends NARs first and tells later, by that hash,
 * which store path they are for; and it names files by the hash of their compressed form.
 */
export interface NarIndex {
  /** The NAR of this SHA-256, undefined when none is known. */
  get(narHash: NixHash, options?: OperationOptions): Promise<(KnownNar & Lasting) | undefined>;

  /**
   * Remembers a NAR; it is durable on return. What lasts goes on to last, and what does not
   * gets a new term.
   */
  put(nar: KnownNar & Lasting, options?: OperationOptions): Promise<void>;

  /** SHA-256 of the NAR in a file of this SHA-256, undefined when none is known. */
  narOfFile(fileHash: NixHash, options?: OperationOptions): Promise<NixHash | undefined>;

  /** Remembers which NAR a file holds. It is known as long as the NAR is. */
  putFile(fileHash: NixHash, narHash: NixHash, options?: OperationOptions): Promise<void>;

  /**
   * Forgets NARs that do not last and were put before a moment, and files of NARs that are
   * not known; returns how many NARs that were. Their contents stay.
   *
   * @param before in milliseconds since 1970
   */
  expire(before: number): Promise<number>;
}
