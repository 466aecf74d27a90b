import type { BigIntStats } from "node:fs";

/**
 * What tells a file or directory from others, and from what it was before it was written to: the
 * time of change too, as that of modification can be set back. All as `bigint`: numbers of inodes
 * may be beyond 2^53, where neighbours would become one.
 */
export type FileIdentity = Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">;

/** Whether it is the one that was found before, and was not written to since. */
export function isSameFile(before: FileIdentity, after: FileIdentity): boolean {
  return (
    after.ino === before.ino &&
    after.dev === before.dev &&
    after.size === before.size &&
    after.mtimeNs === before.mtimeNs &&
    after.ctimeNs === before.ctimeNs
  );
}
