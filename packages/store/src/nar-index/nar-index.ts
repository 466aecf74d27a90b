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

/** A file that holds a NAR. */
export interface NarFileRecord {
  /** SHA-256 of the NAR in it. */
  readonly narHash: NixHash;
  /** How it is compressed, as narinfos call it. */
  readonly compression: string;
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

  /** What a file of this SHA-256 holds, undefined when none is known. */
  getFile(fileHash: NixHash, options?: OperationOptions): Promise<NarFileRecord | undefined>;

  /** Remembers what a file holds. It is known as long as the NAR is. */
  putFile(fileHash: NixHash, file: NarFileRecord, options?: OperationOptions): Promise<void>;

  /**
   * Forgets NARs that do not last and were put before a moment, and files of NARs that are
   * not known; returns how many NARs that were. Their contents stay.
   *
   * @param before in milliseconds since 1970
   */
  expire(before: number): Promise<number>;
}
