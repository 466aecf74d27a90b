import { constants } from "node:fs";
import { copyFile, link, lstat, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import { join } from "node:path";

/** What a tree of real files amounts to. */
export interface TreeSize {
  readonly files: number;
  readonly bytes: number;
}

/** Where Debian keeps libraries and documentation. */
const SOURCES = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/share/doc",
  "/usr/share/man",
  "/usr/lib",
  "/usr/share",
  "/usr/include",
  "/usr/local",
];

/**
 * Puts together a tree of the operating system's own files, by hard links where the file
 * system allows it: as many as asked for, and as many bytes.
 *
 * @throws Error when the machine has not got as many
 */
export async function realTree(root: string, least: TreeSize): Promise<TreeSize> {
  let files = 0;
  let bytes = 0;
  const taken = new Set<string>();
  const add = async (source: string, target: string): Promise<void> => {
    if (files >= least.files && bytes >= least.bytes) return;
    // Some sources lie in others; no file comes twice.
    if (taken.has(source)) return;
    const stats = await lstat(source);
    if (stats.isSymbolicLink()) {
      await symlink(await readlink(source), target);
    } else if (stats.isDirectory()) {
      await mkdir(target, { recursive: true });
      for (const name of (await readdir(source)).sort()) await add(join(source, name), join(target, name));
    } else if (stats.isFile()) {
      await link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE));
      files++;
      bytes += stats.size;
    }
  };
  await mkdir(root);
  for (const [index, source] of SOURCES.entries()) {
    await add(source, join(root, `${index}`)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    taken.add(source);
  }
  if (files < least.files || bytes < least.bytes) {
    throw new Error(`the machine has only ${files} files of ${bytes} bytes in ${SOURCES.join(", ")}`);
  }
  return { files, bytes };
}
