import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { type ByteSource, collect } from "@tvix/byte-stream";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";

/** Services of a store that nothing is in. */
export function emptyStore() {
  return { blobService: new MemoryBlobService(), directoryService: new MemoryDirectoryService() };
}

/** Runs a program; its standard output. */
export async function run(program: string, args: readonly string[]): Promise<Buffer> {
  const { stdout } = await promisify(execFile)(program, [...args], {
    encoding: "buffer",
    maxBuffer: 1 << 28,
  });
  return stdout;
}

/** Hands an archive to a program. */
export async function pipeTo(program: string, args: readonly string[], source: ByteSource): Promise<void> {
  const child = spawn(program, [...args], { stdio: ["pipe", "inherit", "inherit"] });
  child.stdin.end(await collect(source, 1 << 28));
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
}

/** Undefined when Python is here, to look at what was written with another program; otherwise why it is not looked at. */
export const noPython: string | undefined = findPython();

function findPython(): string | undefined {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "python3 is not installed";
  }
}
