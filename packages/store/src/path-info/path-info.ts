import type { Node } from "@tvix/castore";
import type { NarInfo, Signature } from "@tvix/narinfo";
import type { ContentAddress, NixHash, StorePath } from "@tvix/nix-compat";

/** What is known about a store path: its contents, and what Nix wants to know of it. */
export interface PathInfo {
  readonly storePath: StorePath;
  /** The contents. */
  readonly node: Node;
  /** In the order in which they were given. */
  readonly references: readonly StorePath[];
  /** Length of the NAR, in bytes. */
  readonly narSize: number;
  /** SHA-256 of the NAR. */
  readonly narHash: NixHash;
  readonly signatures: readonly Signature[];
  /** The derivation it was built from; its name ends in `.drv`. */
  readonly deriver: StorePath | undefined;
  /** Set for paths that are named by their contents. */
  readonly contentAddress: ContentAddress | undefined;
}

/**
 * The narinfo of a path, as if its uncompressed NAR were the file.
 *
 * @param url where the NAR is, relative to the cache
 */
export function toNarInfo(info: Omit<PathInfo, "node">, url: string): NarInfo {
  const { storePath, references, narSize, narHash, signatures, deriver, contentAddress } = info;
  return {
    storePath,
    references,
    narSize,
    narHash,
    signatures,
    deriver,
    contentAddress,
    url,
    compression: "none",
    fileHash: undefined,
    fileSize: undefined,
    system: undefined,
  };
}
