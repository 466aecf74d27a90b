import { CastoreError } from "../errors/castore-error.ts";

/**
 * Most levels of a tree, the root being the first and its entries the second: as many as Nix
 * accepts in a NAR. The same for whatever way a tree comes in, so that none is stored that can
 * not be had as a NAR.
 */
export const MAX_TREE_DEPTH = 64;

/**
 * @param where names the place in the tree, for the message
 * @throws CastoreError TOO_DEEP
 */
export function checkDepth(levels: number, where: string): void {
  if (levels <= MAX_TREE_DEPTH) return;
  throw new CastoreError("TOO_DEEP", `${where} lies deeper than ${MAX_TREE_DEPTH} levels`, {
    subject: where,
  });
}
