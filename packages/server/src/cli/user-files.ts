import { chmod, chown, lstat, mkdir, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Where a user keeps settings (XDG Base Directory Specification). */
export function configHome(): string {
  const { XDG_CONFIG_HOME: home } = process.env;
  return home === undefined || home === "" ? join(homedir(), ".config") : home;
}

/** The netrc file in which `login` keeps tokens. */
export function tokenFile(): string {
  return join(configHome(), "tvix-store", "netrc");
}

/** A text file, or nothing where there is none. */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/**
 * Writes a text file as a whole: whoever reads it meanwhile sees what was there, or what is to be there. A file that is
 * there keeps its permissions, as there may be secrets in it.
 *
 * @param mode of a file that is made
 * @throws Error for a link: what it leads to is made by somebody else, such as NixOS
 */
export async function replaceText(file: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const known = await lstat(file).catch(() => undefined);
  if (known?.isSymbolicLink() === true) {
    throw new Error(`${file} is a link to ${await readlink(file)}: change it where that comes from`);
  }
  const temporary = `${file}.new-${process.pid}`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: "wx", flush: true });
    await chmod(temporary, known === undefined ? mode : known.mode & 0o777);
    // Root writes for others; nobody else can give a file away.
    if (known !== undefined && process.getuid?.() === 0) await chown(temporary, known.uid, known.gid);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
