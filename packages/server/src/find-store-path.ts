import type { FindRoot } from "@tvix/castore-http";
import { decodeNixbase32, STORE_PATH_DIGEST_LENGTH } from "@tvix/nix-compat";
import type { PathInfoService } from "@tvix/store";

/** The digits of a store path, and its name where it was said. */
const STORE_PATH = /^([0-9a-z]{32})(?:-.+)?$/;

/** Finds the contents of store paths by their base name, or by its first 32 digits alone. */
export function findStorePath(pathInfos: PathInfoService | undefined): FindRoot {
  return async (name) => {
    const digits = STORE_PATH.exec(name)?.[1];
    const digest = digits === undefined ? undefined : digestOf(digits);
    const info = digest && (await pathInfos?.get(digest));
    if (info === undefined) return undefined;
    const { storePath, node } = info;
    return name === digits || name === storePath.toString()
      ? { node, name: storePath.toString() }
      : undefined;
  };
}

function digestOf(digits: string): Uint8Array | undefined {
  try {
    const digest = decodeNixbase32(digits);
    return digest?.length === STORE_PATH_DIGEST_LENGTH ? digest : undefined;
  } catch {
    return undefined;
  }
}
