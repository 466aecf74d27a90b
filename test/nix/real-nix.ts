import { execFile, execFileSync } from "node:child_process";

/** Undefined when real Nix is here; otherwise why its tests are skipped. */
export const noNix: string | undefined = findNix();

function findNix(): string | undefined {
  try {
    execFileSync("nix-store", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "nix-store is not installed: apt-get install nix-bin";
  }
}

/** Runs a command of Nix, and returns what it writes to stdout. */
export async function nix(command: string, args: readonly string[], input?: Uint8Array): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { encoding: "buffer", maxBuffer: 1 << 30 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command} ${args.join(" ")}: ${stderr}`, { cause: error }));
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** The new command line, which Debian's Nix calls experimental. */
export async function newNix(...args: readonly string[]): Promise<string> {
  const features = ["--extra-experimental-features", "nix-command"];
  return (await nix("nix", [...features, ...args])).toString();
}
