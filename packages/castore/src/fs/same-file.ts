import type { Stats } from "node:fs";

/** What tells a file from others, and from what it was before it was written to. */
export type FileIdentity = Pick<Stats, "dev" | "ino" | "size" | "mtimeMs">;

/** Whether a file is the one that was found before, and was not written to since. */
export function isSameFile(before: FileIdentity, after: FileIdentity): boolean {
  return (
    after.ino === before.ino &&
    after.dev === before.dev &&
    after.size === before.size &&
    after.mtimeMs === before.mtimeMs
  );
}
