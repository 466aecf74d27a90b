// Verification, statistics and a collection through a daemon, and what others wait meanwhile.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { anonymousMemory, processorSeconds } from "../closure/process-usage.ts";
import { startDaemon, TVIX_STORE } from "../processes.ts";
import { fillStore } from "./fill-store.ts";
import { Reader, type Waits } from "./reader.ts";

/** Chunks in the store, some in each directory; half of the directories belong to a path. */
const CHUNKS = Number(process.env["COLLECTION_CHUNKS"] ?? 100_000);
const FILES = 5;

/** For how long there is nothing but reads, in milliseconds: first so that all is warm, then to be measured. */
const WARM_MS = 3000;
const CALM_MS = 10_000;

export async function benchmarkCollection(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const data = join(base, "data");
  const paths = await fillStore(data, CHUNKS / FILES, FILES);
  const tokens = join(base, "tokens");
  const token = await tvixStore({}, "token", "create", "--scope", "admin", "--token-file", tokens);
  const daemon = await startDaemon(data, ["--no-sync", "--token-file", tokens]);
  await using transport = createGrpcTransport({ url: `http://127.0.0.1:${daemon.port}` });
  const reader = new Reader(transport, paths);
  await reader.during(() => pause(WARM_MS));
  const calm = await reader.during(() => pause(CALM_MS));
  const maintain = (...command: string[]) => maintenanceBy(daemon.port, token, command);
  const verifying = await reader.during(() => maintain("verify", "--read-data"));
  const counting = await reader.during(() => maintain("stats"));
  let memory = 0;
  const looking = setInterval(async () => {
    memory = Math.max(memory, await anonymousMemory(daemon.pid).catch(() => 0));
  }, 200);
  const before = await processorSeconds(daemon.pid);
  const start = performance.now();
  const results: string[] = [];
  const busy = await reader.during(async () => {
    for (let look = 0; look < 2; look++) results.push(await maintain("gc", "--grace", "0s"));
  });
  const seconds = (performance.now() - start) / 1000;
  clearInterval(looking);
  const processor = (await processorSeconds(daemon.pid)) - before;
  console.log(
    `\n## Maintenance of ${CHUNKS} chunks in ${CHUNKS / FILES} directories, ${paths.length} paths\n`,
  );
  console.log(
    `Both looks: ${seconds.toFixed(1)} s, ${processor.toFixed(1)} s of the daemon's processor time with the reads,`,
  );
  console.log(`${memory.toFixed(0)} MiB of anonymous memory at most. ${results.join("; ")}.\n`);
  console.log(
    "| a path, a directory and a file are read | 50 of 100, ms | 99 of 100 | 999 of 1000 |\n|---|---|---|---|",
  );
  console.log(rowOf("nothing beside", calm));
  console.log(rowOf("while it is collected", busy));
  console.log(rowOf("while all bytes are verified", verifying));
  console.log(rowOf("while all is counted", counting));
  await daemon.stop();
  await rm(base, { recursive: true });
}

/** Has the daemon do something that takes long; returns what it says that it has done. */
async function maintenanceBy(port: number, token: string, command: readonly string[]): Promise<string> {
  const address = ["--service-addr", `grpc+http://127.0.0.1:${port}`];
  return await tvixStore({ TVIX_STORE_TOKEN: token }, ...command, ...address);
}

/** Runs a command; returns what it prints, or else what it says. */
async function tvixStore(
  environment: Readonly<Record<string, string>>,
  ...command: string[]
): Promise<string> {
  const options = { env: { ...process.env, ...environment } };
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...TVIX_STORE, ...command],
    options,
  );
  return (stdout.trim() || stderr.trim()).replaceAll("\n", "; ");
}

function rowOf(when: string, { at }: Waits): string {
  return `| ${when} | ${[0.5, 0.99, 0.999].map((part) => at(part).toFixed(1)).join(" | ")} |`;
}
