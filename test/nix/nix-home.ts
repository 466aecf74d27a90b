import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A user of Nix, who remembers nothing of what others have asked for. */
export interface NixHome {
  /** Its folder. */
  readonly base: string;
  /** Runs a command of Nix; fails with what it wrote to stderr. */
  run(command: string, ...args: readonly string[]): Promise<string>;
  /** Runs `nix`, whose commands Debian's version calls experimental. */
  nix(...args: readonly string[]): Promise<string>;
  /** A folder for a store with nothing in it. */
  freshStore(): string;
}

const FEATURES = "nix-command ca-derivations";

/** Builds as the user at hand, without a sandbox: neither is there in a container. */
const OPTIONS = ["--option", "build-users-group", "", "--option", "sandbox", "false"];

/**
 * @param base a folder of its own; {@link removeHome} removes it
 * @param more variables of its environment
 */
export async function nixHome(base: string, more: Readonly<Record<string, string>> = {}): Promise<NixHome> {
  const env = {
    ...process.env,
    ...more,
    HOME: join(base, "home"),
    XDG_CACHE_HOME: join(base, "cache"),
    LC_ALL: "C.UTF-8",
  };
  await mkdir(env.HOME);
  const run = async (command: string, args: readonly string[]) =>
    await new Promise<string>((resolve, reject) => {
      execFile(command, args, { env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command} ${args.join(" ")}: ${stderr}`, { cause: error }));
      });
    });
  let stores = 0;
  return {
    base,
    run: (command, ...args) =>
      run(command, [...args, ...OPTIONS, "--option", "extra-experimental-features", FEATURES]),
    nix: (...args) => run("nix", ["--extra-experimental-features", FEATURES, ...args, ...OPTIONS]),
    freshStore: () => join(base, `store-${stores++}`),
  };
}

/** Removes a folder with stores in it, which are read-only. */
export async function removeHome(folder: string): Promise<void> {
  const open = async (path: string): Promise<void> => {
    await chmod(path, 0o755);
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await open(join(path, entry.name));
  };
  await open(folder).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}
