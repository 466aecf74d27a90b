import { once } from "node:events";
import { openSync, writeSync } from "node:fs";
import { B3Digest, type Node } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { LocalMaintenance, servicesOf } from "@tvix/server";
import { RenderingNarCalculation } from "@tvix/store";
import { Random } from "./random.ts";
import type { Note } from "./story.ts";
import { directoryNode, directoryOf } from "./trees.ts";

// Works on a store for a while, several at a time, and notes what it has been told: store, notes, seed, steps; `wait`
// for a line on stdin before it begins.
const [path = "", notes = "", seed = "1", steps = "100", wait] = process.argv.slice(2);
const random = new Random(Number(seed));
const file = openSync(notes, "a");

/** Written until it is: that may fail as well. */
function note(one: Note): void {
  const line = `${JSON.stringify(one)}\n`;
  for (let tries = 1; ; tries++) {
    try {
      writeSync(file, line);
      return;
    } catch (error) {
      if (tries === 1000) throw error;
    }
  }
}

/** What fails is noted, and no more. */
async function tried(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string };
    note({ type: "failed", name, code: code ?? "", message });
  }
}

const SIZES = [10, 10, 300, 300, 2000, 2000, 20_000, 20_000, 20_000, 700_000];
const WORKERS = 3;
/** Short files, so that there are many of each kind. */
const OPTIONS = { packBytes: 1 << 20, journalBytes: 8 << 10 };

if (wait !== undefined) {
  process.stdout.write("ready\n");
  await once(process.stdin, "data");
  process.stdin.destroy();
}
let store = await openStore(path, OPTIONS);
let services = servicesOf(store);
const known: StorePath[] = [];
let next = 0;

function bytesOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const start = random.below(1 << 30);
  // Some of it compresses.
  for (let at = 0; at < size; at++) bytes[at] = (start * (at >> 3)) >> (at % 13);
  return bytes;
}

async function putFile(): Promise<Node> {
  const bytes = bytesOf(random.pick(SIZES));
  const digest = await services.blobService.put(bytes);
  note({ type: "blob", digest: digest.toString() });
  return { type: "file", digest, size: BigInt(bytes.length), executable: false };
}

async function putPath(): Promise<void> {
  const leaf = directoryOf({ one: await putFile(), other: await putFile() });
  const root = directoryOf({ leaf: directoryNode(leaf), file: await putFile() });
  await services.directoryService.putMany([leaf, root]);
  const node = directoryNode(root);
  const { narHash, narSize } = await new RenderingNarCalculation(services).calculateNar(node);
  const number = ++next;
  const storePath = StorePath.from(
    B3Digest.of(Buffer.from(`${seed} ${number}`)).bytes.slice(0, 20),
    `path-${number}`,
  );
  await services.pathInfoService.put({
    storePath,
    node,
    narHash,
    narSize,
    references: [],
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  });
  note({ type: "put", path: storePath.toAbsolute(), narHash: narHash.toString() });
  known.push(storePath);
}

function maintenance(): LocalMaintenance {
  return new LocalMaintenance(store, services, { collection: { graceMs: 0 } });
}

async function forget(): Promise<void> {
  const storePath = known.splice(random.below(known.length), 1)[0];
  if (storePath === undefined) return;
  note({ type: "collecting" });
  note({ type: "forgetting", path: storePath.toAbsolute() });
  await maintenance().forget(storePath);
  note({ type: "forgotten", path: storePath.toAbsolute() });
}

async function gc(): Promise<void> {
  note({ type: "collecting" });
  await maintenance().collect();
}

async function reopen(): Promise<void> {
  await tried(() => store.close());
  store = await openStore(path, OPTIONS);
  services = servicesOf(store);
}

let left = Number(steps);
while (left > 0) {
  const together = Math.min(left, 5 + random.below(25));
  left -= together;
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      for (let step = 0; step < together / WORKERS; step++) await tried(putPath);
    }),
  );
  const then = random.below(4);
  if (then === 0) await tried(forget);
  if (then === 1) await tried(gc);
  if (then === 2) await tried(reopen);
}
await tried(() => store.close());
