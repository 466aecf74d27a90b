import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { AnonymousMemory } from "../anonymous-memory.ts";
import { addRow } from "./rows.ts";

const BIN = join(import.meta.dirname, "../../../packages/server/bin/tvix-store.js");
const NODE_OPTIONS = ["--max-semi-space-size=8", BIN];

/** What runs commands on one store, and measures them. */
export class Runner {
  readonly #what: string;
  readonly #door: string;
  readonly #options: readonly string[];
  readonly #daemon: AnonymousMemory | undefined;

  constructor(what: string, door: string, options: readonly string[], daemon?: ChildProcess) {
    this.#what = what;
    this.#door = door;
    this.#options = options;
    this.#daemon = daemon === undefined ? undefined : new AnonymousMemory(daemon.pid ?? 0);
  }

  /** Runs a command; its output goes to a file, where one is given. */
  async run(step: string, args: readonly string[], output?: string): Promise<string> {
    const started = performance.now();
    this.#daemon?.takePeak();
    const sink = output === undefined ? undefined : await open(output, "w");
    const stdio = ["ignore", sink === undefined ? "pipe" : sink.fd, "pipe"] as const;
    const child = spawn(process.execPath, [...NODE_OPTIONS, ...args, ...this.#options], {
      stdio: [...stdio],
    });
    const memory = new AnonymousMemory(child.pid ?? 0);
    let [stdout, stderr] = ["", ""];
    child.stdout?.on("data", (piece) => {
      stdout += piece;
    });
    child.stderr?.on("data", (piece) => {
      stderr += piece;
    });
    const [status] = await once(child, "close");
    await sink?.close();
    memory.end();
    expect({ step, status, stderr }).toEqual({ step, status: 0, stderr: "" });
    addRow({
      what: this.#what,
      door: this.#door,
      step,
      seconds: (performance.now() - started) / 1000,
      command: memory.takePeak(),
      daemon: this.#daemon?.takePeak(),
    });
    return stdout.trim();
  }

  end(): void {
    this.#daemon?.end();
  }
}
