// From the start of the process to its address, for an empty store and for one of a million records.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { B3Digest } from "@tvix/castore";
import { CHUNKS } from "@tvix/castore/backend";
import { fixtures } from "@tvix/castore/testing";
import { openStore } from "@tvix/castore-packs";
import { anonymousMemory } from "./closure/process-usage.ts";
import { median } from "./measure.ts";
import { startDaemon } from "./processes.ts";

const RECORDS = 1_000_000;
const AT_ONCE = 10_000;
const STARTS = 7;

/** A server that does nothing, which tells that it listens. */
const BARE = `require("node:http").createServer().listen(0, "127.0.0.1", () => console.log("ready"))`;

export async function benchmarkStart(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const [empty, full] = [join(base, "empty"), join(base, "full")];
  await fill(full);
  const bare: number[] = [];
  const starts = new Map([
    [empty, [] as number[]],
    [full, [] as number[]],
  ]);
  const memory = new Map<string, number>();
  for (let round = 0; round < STARTS; round++) {
    bare.push(await timeOfBare());
    for (const [data, times] of starts) {
      const begun = performance.now();
      const daemon = await startDaemon(data);
      times.push(performance.now() - begun);
      memory.set(data, await anonymousMemory(daemon.pid));
      await daemon.stop();
    }
  }
  console.log(
    `\n## From the start of the process to its address\n\n| | ms, median of ${STARTS} | MiB then |\n|---|---|---|`,
  );
  console.log(`| bare node:http | ${median(bare).toFixed(0)} | |`);
  for (const [data, title] of [
    [empty, "tvix-store, empty"],
    [full, `tvix-store, ${RECORDS} records`],
  ] as const) {
    console.log(
      `| ${title} | ${median(starts.get(data) ?? []).toFixed(0)} | ${memory.get(data)?.toFixed(0)} |`,
    );
  }
  await rm(base, { recursive: true });
}

/** Records of chunks that lie in them, of 100 bytes each. */
async function fill(data: string): Promise<void> {
  const store = await openStore(data, { sync: false });
  for (let start = 0; start < RECORDS; start += AT_ONCE) {
    const records = Array.from({ length: AT_ONCE }, (_, index) => {
      const seed = start + index + 1;
      return CHUNKS.put(
        B3Digest.from(fixtures.pseudoRandomBytes(32, seed)),
        fixtures.pseudoRandomBytes(100, seed),
      );
    });
    await store.database.write(records);
  }
  await store.close();
}

async function timeOfBare(): Promise<number> {
  const begun = performance.now();
  const child = spawn(process.execPath, ["-e", BARE], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const time = performance.now() - begun;
  child.kill();
  await once(child, "exit");
  return time;
}
