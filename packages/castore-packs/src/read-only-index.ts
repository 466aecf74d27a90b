import { copyFile, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CastoreError } from "@tvix/castore";

/** Tables of LevelDB never change; what else it has is small, and written anew when it is opened. */
const TABLE = /\.(ldb|sst)$/;
const COPIED = /^(CURRENT|MANIFEST-\d+|\d+\.log)$/;

/** How LevelDB says that it can write nothing: it passes on the system's text only. */
const READ_ONLY = /Read-only file system|EROFS/;
const FULL = /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/;

/**
 * Why nothing can be written where an index could not be opened; undefined where that is not why.
 *
 * @param message the system's
 */
export function unwritableFor(cause: unknown, message: string): CastoreError | undefined {
  if (READ_ONLY.test(message)) {
    return new CastoreError("STORAGE_FAILURE", "the disk of the store is read-only", { cause });
  }
  return FULL.test(message)
    ? new CastoreError("NO_SPACE", "the disk of the store is full", { cause })
    : undefined;
}

/**
 * A folder in which an index can be opened whose own cannot be written to, for reading: LevelDB has
 * no such mode. Tables are links to those of the index.
 */
export async function standInFor(index: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "tvix-store-index-"));
  const remove = async () => await rm(path, { recursive: true, force: true });
  try {
    for (const name of await readdir(index)) {
      if (TABLE.test(name)) await symlink(resolve(index, name), join(path, name));
      else if (COPIED.test(name)) await copyFile(join(index, name), join(path, name));
    }
    return { path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
