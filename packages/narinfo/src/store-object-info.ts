import { STORE_DIR } from "@tvix/nix-compat";
import { compressionOf, type NarInfo } from "./narinfo.ts";

/** A content address in {@link StoreObjectInfo}. */
export interface StoreObjectContentAddress {
  readonly method: "text" | "nar" | "flat";
  /** As SRI text. */
  readonly hash: string;
}

/**
 * What Nix calls store object info, version 2, with the fields of binary caches: a narinfo as JSON. Hashes are SRI
 * text, store paths base names (Nix manual, "Store Object Info").
 */
export interface StoreObjectInfo {
  readonly version: 2;
  readonly path: string;
  readonly storeDir: string;
  readonly narHash: string;
  /** In bytes. */
  readonly narSize: number;
  readonly references: readonly string[];
  readonly ca: StoreObjectContentAddress | null;
  readonly deriver: string | null;
  /** Of another store, and of no use to whoever reads this: always null. */
  readonly registrationTime: null;
  readonly ultimate: false;
  readonly signatures: readonly string[];
  readonly url: string;
  readonly compression: string;
  readonly downloadHash: string | null;
  /** In bytes. */
  readonly downloadSize: number | null;
}

/** A narinfo as JSON of version 2. */
export function toStoreObjectInfo(info: NarInfo): StoreObjectInfo {
  const { storePath, contentAddress, deriver, fileHash, fileSize } = info;
  return {
    version: 2,
    path: storePath.toString(),
    storeDir: STORE_DIR,
    narHash: info.narHash.toSri(),
    narSize: info.narSize,
    references: info.references.map(String),
    ca:
      contentAddress === undefined
        ? null
        : { method: contentAddress.method, hash: contentAddress.hash.toSri() },
    deriver: deriver?.toString() ?? null,
    registrationTime: null,
    ultimate: false,
    signatures: [...info.signatures.map(String), ...(info.quirks?.otherSignatures ?? [])],
    url: info.url,
    compression: compressionOf(info),
    downloadHash: fileHash?.toSri() ?? null,
    downloadSize: fileSize ?? null,
  };
}
