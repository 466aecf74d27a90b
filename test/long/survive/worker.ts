import { openSync, writeSync } from "node:fs";
import { B3Digest, type Node } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { LocalMaintenance, servicesOf } from "@tvix/server";
import { RenderingNarCalculation } from "@tvix/store";
import { Random } from "./random.ts";
import type { Note } from "./story.ts";
import { directoryNode, directoryOf } from "./trees.ts";

// Works on a store for a while, several at a time, and notes what it has been told: store, notes, seed, steps.
const [path = "", notes = "", seed = "1", steps = "100"] = process.argv.slice(2);
const random = new Random(Number(seed));
const file = openSync(notes, "a");
const note = (one: Note) => void writeSync(file, `${JSON.stringify(one)}\n`);
const SIZES = [10, 10, 300, 300, 2000, 2000, 20_000, 20_000, 20_000, 700_000];
const WORKERS = 3;
/** Short files, so that there are many of each kind. */
const OPTIONS = { packBytes: 1 << 20, journalBytes: 8 << 10 };

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

let left = Number(steps);
while (left > 0) {
  const together = Math.min(left, 5 + random.below(25));
  left -= together;
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      for (let step = 0; step < together / WORKERS; step++) await putPath();
    }),
  );
  const then = random.below(4);
  if (then === 0) await forget();
  if (then === 1) {
    note({ type: "collecting" });
    await maintenance().collect();
  }
  if (then === 2) {
    await store.close();
    store = await openStore(path, OPTIONS);
    services = servicesOf(store);
  }
}
await store.close();
