import type { ContentAddress, NixHash, StorePath } from "@tvix/nix-compat";
import type { Signature } from "./keys/signature.ts";

/** What a binary cache says of a store path: where its NAR is, and what to check it against. */
export interface NarInfo {
  readonly storePath: StorePath;
  /** Of the NAR, relative to the cache or absolute. */
  readonly url: string;
  /** Such as `xz`; `none` for an uncompressed NAR. Absent means bzip2: {@link compressionOf}. */
  readonly compression: string | undefined;
  /** SHA-256 of the NAR as it is sent. */
  readonly fileHash: NixHash | undefined;
  /** Length of the NAR as it is sent, in bytes. */
  readonly fileSize: number | undefined;
  /** SHA-256 of the uncompressed NAR. */
  readonly narHash: NixHash;
  /** Length of the uncompressed NAR, in bytes. */
  readonly narSize: number;
  /** In the order in which they were given, on which signatures depend. */
  readonly references: readonly StorePath[];
  /** The derivation, its name ending in `.drv`. */
  readonly deriver: StorePath | undefined;
  readonly system: string | undefined;
  readonly signatures: readonly Signature[];
  readonly contentAddress: ContentAddress | undefined;
  /** How the text differed from what we would write; kept so that the same text is written. */
  readonly quirks?: NarInfoQuirks;
}

/** Peculiarities of a text that mean nothing. */
export interface NarInfoQuirks {
  /** NarHash was in hexadecimal. */
  readonly narHashHex?: boolean;
  /** FileHash was in hexadecimal. */
  readonly fileHashHex?: boolean;
  /** Deriver was `unknown-deriver`. */
  readonly unknownDeriver?: boolean;
  /** There were no References, not even empty ones. */
  readonly referencesMissing?: boolean;
  /** Fields that are not known, in their order. */
  readonly unknownFields?: readonly (readonly [key: string, value: string])[];
}

/** The compression of the NAR: what the field says, and bzip2 without it, as in Nix. */
export function compressionOf({ compression }: Pick<NarInfo, "compression">): string {
  return compression ?? "bzip2";
}
