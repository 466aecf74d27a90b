import { execFileSync } from "node:child_process";

/** Runs a tool over bytes. */
export const tool =
  (command: string, ...args: readonly string[]) =>
  (input: Uint8Array): Buffer =>
    execFileSync(command, args, { input, maxBuffer: 1 << 30 });

export const xzSync = tool("xz", "-c");
export const bzip2Sync = tool("bzip2", "-c");
