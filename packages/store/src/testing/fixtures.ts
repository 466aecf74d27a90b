import { B3Digest, SymlinkTarget } from "@tvix/castore";
import { Signature } from "@tvix/narinfo";
import { NixHash, StorePath } from "@tvix/nix-compat";
import type { PathInfo } from "../path-info/path-info.ts";

const ZEROS = new Uint8Array(32);

/** `/nix/store/000…-dummy`. */
export const DUMMY_PATH: StorePath = StorePath.from(new Uint8Array(20), "dummy");

/** A directory that refers to itself, named by its contents: the fixture of tvix. */
export const PATH_INFO: PathInfo = {
  storePath: DUMMY_PATH,
  node: { type: "directory", digest: B3Digest.from(ZEROS), size: 0n },
  references: [DUMMY_PATH],
  narSize: 0,
  narHash: NixHash.from("sha256", ZEROS),
  signatures: [],
  deriver: undefined,
  contentAddress: { method: "nar", hash: NixHash.from("sha256", ZEROS) },
};

/** A link without anything else: the fixture of snix. */
export const PATH_INFO_SYMLINK: PathInfo = {
  storePath: DUMMY_PATH,
  node: { type: "symlink", target: SymlinkTarget.from("/nix/store/somewhereelse") },
  references: [],
  narSize: 136,
  narHash: NixHash.parse("sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89"),
  signatures: [],
  deriver: undefined,
  contentAddress: undefined,
};

/** One with something in every field. `number` from 0 to 2^32 - 1 makes another path of it. */
export function fullPathInfo(number: number): PathInfo {
  const digest = new Uint8Array(20).fill(7);
  new DataView(digest.buffer).setUint32(0, number);
  return {
    storePath: StorePath.from(digest, `full-${number}`),
    node: { type: "file", digest: B3Digest.from(ZEROS), size: 5n, executable: true },
    references: [DUMMY_PATH, StorePath.from(digest, `full-${number}`)],
    narSize: 152,
    narHash: NixHash.from("sha256", new Uint8Array(32).fill(9)),
    signatures: [Signature.from("cache.example.org-1", new Uint8Array(64).fill(3))],
    deriver: StorePath.from(new Uint8Array(20).fill(1), "full.drv"),
    contentAddress: { method: "flat", hash: NixHash.from("sha512", new Uint8Array(64).fill(4)) },
  };
}
