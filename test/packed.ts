import { execFileSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Packages of this repository as they would be published, by their folders: what a manifest lists them as. */
async function packed(folders: readonly string[], destination: string): Promise<Record<string, string>> {
  const tarballs: Record<string, string> = {};
  for (const folder of folders) {
    const into = join(destination, folder);
    execFileSync("pnpm", ["pack", "--pack-destination", into], {
      cwd: `packages/${folder}`,
      stdio: "ignore",
    });
    tarballs[`@tvix/${folder}`] = `file:${join(into, (await readdir(into))[0] as string)}`;
  }
  return tarballs;
}

/**
 * A project of somebody else's in which packages of this repository are installed with npm.
 *
 * @param folders of the packages
 * @param more what is added to its manifest
 */
export async function installedProject(
  path: string,
  folders: readonly string[],
  more: { readonly dependencies?: object; readonly devDependencies?: object } = {},
): Promise<void> {
  await mkdir(path, { recursive: true });
  const dependencies = { ...(await packed(folders, join(path, "tarballs"))), ...more.dependencies };
  const manifest = { name: "user", private: true, type: "module", ...more, dependencies };
  await writeFile(join(path, "package.json"), JSON.stringify(manifest));
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: path, stdio: "pipe" });
}
