import { chmod, readdir, rm } from "node:fs/promises";
import { type HostPath, joinPath } from "./host-path.ts";

const OWNER_ALL = 0o700;

/** Removes a path with everything below it, also directories that their owner may not write to. */
export async function removeTree(path: HostPath): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!isForbidden(error)) throw error;
    await openDirectories(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Lets the owner into a directory and those below it. Links are not followed. */
async function openDirectories(path: HostPath): Promise<void> {
  await chmod(path, OWNER_ALL);
  for (const entry of await readdir(path, { withFileTypes: true, encoding: "buffer" })) {
    if (entry.isDirectory()) await openDirectories(joinPath(path, entry.name));
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
}
