import { constants } from "node:fs";
import { mkdir, open, symlink } from "node:fs/promises";
import type { ByteSource } from "@tvix/byte-stream";
import type { NarEntry, NarFile } from "../entry.ts";
import { readNar } from "../read-nar.ts";
import { type HostPath, joinPath, onPath } from "./host-path.ts";

/** Options of {@link restorePath}. */
export interface RestorePathOptions {
  /** Levels of nodes, the root being the first. Default 64, as in Nix. */
  readonly maxDepth?: number;
}

/** Everything is made anew: nothing is overwritten, and no link is followed. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Unpacks a NAR to a path where nothing is, as `nix-store --restore` does. Where it fails,
 * what has been written stays.
 *
 * @param path its parent directory exists; bytes where it is not UTF-8
 * @throws NarError as `readNar`; ALREADY_EXISTS, FILE_SYSTEM_FAILURE with the path
 */
export async function restorePath(
  source: ByteSource,
  path: string | Uint8Array,
  options: RestorePathOptions = {},
): Promise<void> {
  const root = Buffer.from(path);
  const open: HostPath[] = [];
  for await (const entry of readNar(source, options)) {
    if (entry.type === "end") {
      open.pop();
      continue;
    }
    const parent = open.at(-1);
    const at = parent === undefined ? root : joinPath(parent, entry.name);
    await writeEntry(entry, at);
    if (entry.type === "directory") open.push(at);
  }
}

async function writeEntry(entry: Exclude<NarEntry, { type: "end" }>, path: HostPath): Promise<void> {
  switch (entry.type) {
    case "directory":
      await onPath("make directory", path, () => mkdir(path));
      break;
    case "symlink":
      await onPath("make link", path, () => symlink(Buffer.from(entry.target), path));
      break;
    case "file":
      await writeFile(entry, path);
  }
}

async function writeFile({ executable, contents }: NarFile, path: HostPath): Promise<void> {
  const handle = await onPath("make file", path, () => open(path, FLAGS, executable ? 0o777 : 0o666));
  try {
    for await (const piece of contents instanceof Uint8Array ? [contents] : contents) {
      await onPath("write", path, () => handle.writeFile(piece));
    }
  } finally {
    await handle.close();
  }
}
