import type { ContentAddressMethod, HashAlgorithm } from "@tvix/nix-compat";
import { NARInfo_CA_Hash } from "@tvix/protocol/tvix/store";

/** One kind of content address, as messages number it. */
export interface ContentAddressKind {
  readonly type: NARInfo_CA_Hash;
  readonly method: ContentAddressMethod;
  readonly algorithm: HashAlgorithm;
  /** What tvix calls it in its messages. */
  readonly label: string;
}

/** All that messages can have: of texts only those with SHA-256. */
export const CA_KINDS: readonly ContentAddressKind[] = [
  { type: NARInfo_CA_Hash.NAR_SHA256, method: "nar", algorithm: "sha256", label: "NarSha256" },
  { type: NARInfo_CA_Hash.NAR_SHA1, method: "nar", algorithm: "sha1", label: "NarSha1" },
  { type: NARInfo_CA_Hash.NAR_SHA512, method: "nar", algorithm: "sha512", label: "NarSha512" },
  { type: NARInfo_CA_Hash.NAR_MD5, method: "nar", algorithm: "md5", label: "NarMd5" },
  { type: NARInfo_CA_Hash.TEXT_SHA256, method: "text", algorithm: "sha256", label: "TextSha256" },
  { type: NARInfo_CA_Hash.FLAT_SHA1, method: "flat", algorithm: "sha1", label: "FlatSha1" },
  { type: NARInfo_CA_Hash.FLAT_MD5, method: "flat", algorithm: "md5", label: "FlatMd5" },
  { type: NARInfo_CA_Hash.FLAT_SHA256, method: "flat", algorithm: "sha256", label: "FlatSha256" },
  { type: NARInfo_CA_Hash.FLAT_SHA512, method: "flat", algorithm: "sha512", label: "FlatSha512" },
];
