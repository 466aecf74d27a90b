import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { GrpcBlobService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { AnonymousMemory } from "../../test/long/anonymous-memory.ts";
import { startDaemon } from "../processes.ts";
import type { Attack, Target } from "./attack.ts";

/** What work under way may take in a daemon that is attacked, in MiB. */
export const MEMORY_MIB = 128;

/** What the rest of a daemon takes at the most, in MiB: code, the database, threads, and what V8 has not yet collected. */
export const BASE_MIB = 450;

/** What became of an attack. */
export interface Outcome {
  /** The most memory of its own that the daemon had meanwhile, in MiB. */
  readonly peak: number;
  /** What it had in the end, in MiB. */
  readonly after: number;
  /** The 99th percentile of the time that somebody else waited for an answer, in milliseconds. */
  readonly before: number;
  readonly during: number;
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** Whether the daemon still answers. */
  readonly answers: boolean;
}

/** Time that a daemon has to give memory back, in milliseconds. */
const RECOVERY_MS = 240_000;

/** How long somebody is watched before, in milliseconds. */
const CALM_MS = 3000;

/** Attacks a daemon of its own, while somebody else asks it for something. */
export async function attacked(attack: Attack, scale: number): Promise<Outcome> {
  const data = await mkdtemp(join(tmpdir(), "attacked-"));
  const options = ["--memory", `${MEMORY_MIB}`, "--no-sync", ...(attack.options ?? [])];
  const daemon = await startDaemon(data, options);
  const memory = new AnonymousMemory(daemon.pid);
  try {
    const target = await targetOf(daemon.port);
    const [before] = await waitingTime(target, () => setTimeout(CALM_MS));
    memory.takePeak();
    const start = performance.now();
    const [during, seconds] = await waitingTime(target, async () => {
      await carryOut(attack, target, scale);
      return (performance.now() - start) / 1000;
    });
    const peak = memory.takePeak();
    const after = await settled(memory);
    const answers = (await fetch(`${target.url}/healthz`)).ok;
    return { peak, after, before, during, seconds, answers };
  } finally {
    memory.end();
    await daemon.stop();
    await rm(data, { recursive: true, force: true });
  }
}

/** Has somebody do it in a process of its own. */
async function carryOut({ name }: Attack, { url, port, digest }: Target, scale: number): Promise<void> {
  const target = JSON.stringify({ url, port, digest: Buffer.from(digest).toString("hex") });
  const script = join(import.meta.dirname, "attacker.ts");
  const attacker = spawn(process.execPath, [script, name, target, `${scale}`], { stdio: "inherit" });
  const [status] = await once(attacker, "close");
  if (status !== 0) throw new Error(`the attacker ended with ${status}`);
}

async function targetOf(port: number): Promise<Target> {
  const url = `http://127.0.0.1:${port}`;
  await using transport = createGrpcTransport({ url });
  const digest = await new GrpcBlobService(transport).put(new Uint8Array(16 << 20).map((_, at) => at * at));
  return { url, port, digest: digest.bytes };
}

/** The 99th percentile of the time that somebody waits who asks for something meanwhile, in milliseconds. */
async function waitingTime<T>({ url }: Target, task: () => Promise<T>): Promise<[waits: number, T]> {
  const bystander = new Worker(new URL("./bystander.ts", import.meta.url), { workerData: { url } });
  await once(bystander, "online");
  const result = await task();
  bystander.postMessage("end");
  const [waits] = await once(bystander, "message");
  await bystander.terminate();
  return [waits, result];
}

/** The memory that a daemon has when it has given back what it gives back, or the time for that is over. */
async function settled(memory: AnonymousMemory): Promise<number> {
  const end = performance.now() + RECOVERY_MS;
  for (;;) {
    memory.takePeak();
    const now = memory.takePeak();
    if (now < BASE_MIB || performance.now() > end) return now;
    await setTimeout(1000);
  }
}

/** A line of the table of outcomes, in Markdown. */
export function rowOf({ name }: Attack, outcome: Outcome): string {
  const { peak, after, before, during, seconds } = outcome;
  const waits = `${before.toFixed(1)} → ${during.toFixed(1)}`;
  return `| ${name} | ${seconds.toFixed(0)} | ${peak.toFixed(0)} | ${after.toFixed(0)} | ${waits} |`;
}

/** The head of that table. */
export const TABLE_HEAD =
  "| attack | seconds | peak, MiB | after, MiB | 99 of 100 others wait, ms |\n|---|---|---|---|---|";
