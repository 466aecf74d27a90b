import { type FileHandle, lstat, mkdir, open, readFile, readlink, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { folderOf } from "./home.ts";

/** Where a user keeps settings (XDG Base Directory Specification). */
export function configHome(): string {
  return folderOf(process.env["XDG_CONFIG_HOME"], ".config");
}

/** The netrc file in which `login` keeps tokens. */
export function tokenFile(): string {
  return join(configHome(), "tvix-store", "netrc");
}

/** A text file, or nothing where there is none. */
export async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    if (error instanceof TypeError)
      throw new Error(`${file} is not UTF-8: it is left as it is`, { cause: error });
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** How long others may be at a file, in milliseconds, and how often it is looked whether they still are. */
const PATIENCE_MS = 5000;
const LOOK_MS = 20;

/**
 * Changes a text file as a whole: whoever reads it meanwhile sees what was there, or what is to be there, and of several
 * commands at once each changes what the others have left. A file that is there keeps its permissions, as there may be
 * secrets in it.
 *
 * @param change makes the new text of the one that is there, empty where there is no file; nothing is written that is the same
 * @param mode of a file that is made
 * @returns whether something was written
 * @throws Error for a link: what it leads to is made by somebody else, such as NixOS; and when others do not finish
 */
export async function changeText(
  file: string,
  change: (text: string) => string,
  mode: number,
): Promise<boolean> {
  const found = await readText(file);
  if (change(found) === found) return false;
  const known = await lstat(file).catch(() => undefined);
  if (known?.isSymbolicLink() === true) {
    throw new Error(`${file} is a link to ${await readlink(file)}: change it where that comes from`);
  }
  await mkdir(dirname(file), { recursive: true });
  // What is written next lies there, so that nobody else writes meanwhile.
  const next = `${file}.lock`;
  const handle = await openAlone(next);
  let isInPlace = false;
  try {
    const before = await readText(file);
    const after = change(before);
    if (after === before) return false;
    await handle.writeFile(after);
    const replaced = await lstat(file).catch(() => undefined);
    await handle.chmod(replaced === undefined ? mode : replaced.mode & 0o777);
    // Root writes for others; nobody else can give a file away.
    if (replaced !== undefined && process.getuid?.() === 0) await handle.chown(replaced.uid, replaced.gid);
    await handle.sync();
    await rename(next, file);
    isInPlace = true;
    return true;
  } finally {
    await handle.close();
    if (!isInPlace) await rm(next, { force: true });
  }
}

/** Makes a file that is not there; waits as long as it is. */
async function openAlone(file: string): Promise<FileHandle> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await open(file, "wx", 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (performance.now() > deadline) {
        throw new Error(
          `${file} is there: another command is at it, or was ended in the middle; then remove it`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
