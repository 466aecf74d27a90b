import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const BIN = join(import.meta.dirname, "../bin/tvix-store.js");
/** As the first line of the command asks for. */
const NODE_OPTIONS = ["--max-semi-space-size=8", BIN];

/** What a command has written, and its exit status. */
export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tvix-store` to its end. */
export async function tvixStore(...args: string[]): Promise<Finished> {
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      [...NODE_OPTIONS, ...args],
      { maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

/** A daemon in a process of its own. */
export interface Daemon {
  readonly process: ChildProcess;
  readonly url: string;
  /** The options that point a command to it. */
  readonly options: readonly string[];
  /** Everything it has logged. */
  readonly log: () => string;
}

/** Starts a daemon on a free port, and ends it with the test. */
export async function startDaemon(data: string, ...args: string[]): Promise<Daemon> {
  const child = spawn(
    process.execPath,
    [...NODE_OPTIONS, "daemon", "--data", data, "--listen-address", "127.0.0.1:0", ...args],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let log = "";
  const port = await new Promise<string>((resolve, reject) => {
    child.stderr.on("data", (piece) => {
      log += piece;
      const address = /"addresses":\["127\.0\.0\.1:(\d+)"/.exec(log);
      if (address !== null) resolve(address[1] as string);
    });
    child.once("exit", () => reject(new Error(`the daemon has ended: ${log}`)));
  });
  const address = `grpc+http://127.0.0.1:${port}`;
  return {
    process: child,
    url: `http://127.0.0.1:${port}`,
    options: ["blob", "directory", "path-info"].flatMap((kind) => [`--${kind}-service-addr`, address]),
    log: () => log,
  };
}

/** Sends a signal and waits for the end; returns the exit status, or the signal that ended it. */
export async function endDaemon(daemon: Daemon, signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
  const ended = once(daemon.process, "exit");
  daemon.process.kill(signal);
  const [status, endedBy] = await ended;
  return status ?? endedBy;
}

/** The largest memory that a daemon has held so far, in MiB. */
export function peakMemory({ process: { pid } }: Daemon): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
