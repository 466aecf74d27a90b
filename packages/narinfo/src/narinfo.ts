import type { ContentAddress, NixHash, StorePath } from "@tvix/nix-compat";
import type { Field } from "./fields.ts";
import type { Signature } from "./keys/signature.ts";

/** What a binary cache says of a store path: where its NAR is, and what to check it against. */
export interface NarInfo {
  readonly storePath: StorePath;
  /** Of the NAR, relative to the cache or absolute. */
  readonly url: string;
  /** Such as `xz`; `none` for an uncompressed NAR. Absent means bzip2: {@link compressionOf}. */
  readonly compression: string | undefined;
  /** Hash of the NAR as it is sent, by any algorithm. */
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
  /** Each once. */
  readonly signatures: readonly Signature[];
  readonly contentAddress: ContentAddress | undefined;
  /** How the text differed from what we would write; kept so that the same text is written. */
  readonly quirks?: NarInfoQuirks;
}

/** Peculiarities of a text that mean nothing. */
export interface NarInfoQuirks {
  /**
   * By field, the text of a value that we would write otherwise, such as a hash in another form.
   * It is written again as long as the field has the very value that was read from it.
   */
  readonly texts?: Readonly<Record<string, { readonly text: string; readonly value: unknown }>>;
  /** There were no References, not even empty ones. */
  readonly referencesMissing?: boolean;
  /** Signatures of kinds that are not known, in their order. */
  readonly otherSignatures?: readonly string[];
  /** Fields that are not known, in their order. */
  readonly unknownFields?: readonly Field[];
}

/** The compression of the NAR: what the field says, and bzip2 without it, as in Nix. */
export function compressionOf({ compression }: Pick<NarInfo, "compression">): string {
  return compression ?? "bzip2";
}
