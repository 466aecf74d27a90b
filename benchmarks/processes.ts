import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");

/** The arguments of Node that run `tvix-store` as its first line asks for. */
export const TVIX_STORE: readonly string[] = [
  "--max-semi-space-size=8",
  join(ROOT, "packages/server/bin/tvix-store.js"),
];

/** A server in a process of its own. */
export interface ServerProcess {
  readonly port: number;
  stop(): Promise<void>;
}

/** The same, when its processor time and memory are looked at. */
export interface ProcessWithId extends ServerProcess {
  readonly pid: number;
}

/** Starts the servers that only count or repeat bytes. */
export async function startBareServers(): Promise<ServerProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "bare-servers.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return await started(child, child.stdout, /^(\d+)/);
}

/** Starts the servers that send files and a text; see bare-http.ts. */
export async function startBareHttp(
  text: string,
  folder: string,
): Promise<{ files: number; text: number; pid: number; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "bare-http.ts"), text, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let second = 0;
  child.stdout.on("data", (piece) => {
    second = Number(/^\d+ (\d+)/.exec(String(piece))?.[1]);
  });
  const { port, stop } = await started(child, child.stdout, /^(\d+) \d+/);
  return { files: port, text: second, pid: child.pid as number, stop };
}

/** Starts a daemon on a data directory. */
export async function startDaemon(data: string, options: readonly string[] = []): Promise<ProcessWithId> {
  const child = spawn(
    process.execPath,
    [...TVIX_STORE, "daemon", "--data", data, "--listen-address", "127.0.0.1:0", ...options],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const server = await started(child, child.stderr, /"127\.0\.0\.1:(\d+)"/);
  return { ...server, pid: child.pid as number };
}

/** Runs a command to its end. */
export async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  const [status] = await once(child, "exit");
  if (status !== 0) throw new Error(`${command} has ended with ${status}`);
}

async function started(
  child: ChildProcess,
  output: NodeJS.ReadableStream,
  pattern: RegExp,
): Promise<ServerProcess> {
  let text = "";
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`a server has ended: ${text}`)));
    output.on("data", (piece) => {
      text += piece;
      const match = pattern.exec(text);
      if (match !== null) resolve(Number(match[1]));
    });
  });
  const stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  return { port, stop };
}
