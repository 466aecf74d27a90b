import type { NixHash, StorePath } from "@tvix/nix-compat";

/** What a signature of a store path covers. */
export interface Fingerprinted {
  readonly storePath: StorePath;
  /** SHA-256 of the NAR. */
  readonly narHash: NixHash;
  /** Length of the NAR, in bytes. */
  readonly narSize: number;
  /** In the order in which Nix has them: sorted. */
  readonly references: readonly StorePath[];
}

/**
 * The text that signatures of a store path are made over.
 *
 * Source: `ValidPathInfo::fingerprint` of Nix.
 */
export function fingerprint({ storePath, narHash, narSize, references }: Fingerprinted): string {
  const paths = references.map((reference) => reference.toAbsolute()).join(",");
  return `1;${storePath.toAbsolute()};${narHash};${narSize};${paths}`;
}
