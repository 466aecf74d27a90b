import type { Node, RecordStore } from "@tvix/castore";
import { collectStore, findStoreGarbage, forgetPath, Pins } from "@tvix/store/collect";
import fc from "fast-check";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { Client, countRecords, pathOf } from "./world.ts";

const HOUR = 3_600_000;
const PATHS = 12;
const FILES = 10;

/** Time passes as the tests of this file say. */
export function withTimeOfTests(): void {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 1e12 }));
  afterEach(() => void vi.useRealTimers());
}

const files = fc.uniqueArray(fc.nat(FILES - 1), { minLength: 1, maxLength: 4 });
const path = fc.nat(PATHS - 1);

/** What somebody does. */
export interface Step {
  readonly does: "put" | "put contents" | "forget" | "pin" | "unpin" | "read" | "collect";
  readonly path: number;
  readonly files: readonly number[];
  /** Of a pin. */
  readonly name: number;
  /** Whether files are not sent that are said to be there. */
  readonly asksFirst: boolean;
}

const does = fc.oneof(
  { weight: 5, arbitrary: fc.constant("put" as const) },
  { weight: 4, arbitrary: fc.constant("collect" as const) },
  { weight: 3, arbitrary: fc.constant("forget" as const) },
  { weight: 2, arbitrary: fc.constantFrom("put contents", "pin", "unpin", "read") },
);
const step: fc.Arbitrary<Step> = fc.record({ does, path, files, name: fc.nat(2), asksFirst: fc.boolean() });

/** Several steps that are done at once, each by one of two who know nothing of each other. */
export const moments = fc.array(fc.array(fc.tuple(fc.nat(1), step), { minLength: 1, maxLength: 4 }), {
  minLength: 5,
  maxLength: 40,
});

/** What has to be in a store. */
class Model {
  readonly paths: Map<number, Node> = new Map();
  readonly pins: Map<number, Node> = new Map();
  /** Paths of which several things were done at once: whichever came last counts. */
  readonly unsure: Set<number> = new Set();
}

async function doStep(client: Client, model: Model, step: Step): Promise<void> {
  const { path, files, name, asksFirst } = step;
  const pins = new Pins(client.records);
  if (step.does === "put") {
    model.paths.set(path, (await client.putPath(path, files, { asksFirst })).node);
  } else if (step.does === "put contents") {
    await client.putContents(files, { asksFirst });
  } else if (step.does === "forget") {
    model.paths.delete(path);
    await forgetPath(client.parts, pathOf(path));
  } else if (step.does === "pin") {
    const node = await client.putContents(files, { asksFirst });
    await pins.set(`pin-${name}`, { type: "node", node });
    model.pins.set(name, node);
  } else if (step.does === "unpin") {
    model.pins.delete(name);
    await pins.remove(`pin-${name}`);
  } else if (step.does === "read") {
    await client.pathInfos.get(pathOf(path).digest);
  } else {
    await collectStore(client.parts, { graceMs: HOUR });
  }
}

/** What may fail where others do something at the same time; then it has stored nothing that counts. */
const MAY_FAIL = new Set(["LOCKED", "UNAVAILABLE", "INCOMPLETE", "IN_USE"]);

/**
 * Does it all on one store, and compares with what has to be there.
 *
 * @param records of the one and of the other; may be the same
 */
export async function runMoments(
  [records, others]: readonly [RecordStore, RecordStore],
  moments: readonly (readonly [number, Step][])[],
): Promise<void> {
  const clients = [await Client.of(records), await Client.of(others)];
  const model = new Model();
  let now = 1e12;
  for (const moment of moments) {
    model.unsure.clear();
    const touched = moment.map(([, { path }]) => path);
    for (const path of touched) if (touched.filter((one) => one === path).length > 1) model.unsure.add(path);
    const failed = await Promise.all(
      moment.map(async ([who, one]) => {
        try {
          await doStep(clients[who] as Client, model, one);
          return undefined;
        } catch (error) {
          if (!MAY_FAIL.has((error as { code?: string }).code ?? "")) throw error;
          return one;
        }
      }),
    );
    // What two did at once is read back: either may have come last.
    await settle(clients[0] as Client, model, moment, failed);
    await checkKept(clients, model);
    now += HOUR / 2;
    vi.setSystemTime(now);
  }
  for (let times = 0; times < 4; times++) {
    now += HOUR;
    vi.setSystemTime(now);
    await collectStore((clients[times % 2] as Client).parts, { graceMs: HOUR });
  }
  await checkKept(clients, model);
  const { contents } = await findStoreGarbage((clients[0] as Client).parts, {});
  expect(contents).toMatchObject({ blobs: 0, chunks: 0, directories: 0 });
  const counts = await countRecords(records);
  expect(counts["p1"] ?? 0).toBe(model.paths.size);
  for (const table of ["g1", "u2", "s1"]) expect(counts[table]).toBeUndefined();
}

async function settle(
  client: Client,
  model: Model,
  moment: readonly (readonly [number, Step])[],
  failed: readonly (Step | undefined)[],
): Promise<void> {
  for (const path of new Set(moment.map(([, step]) => step.path))) {
    const isUnsure = model.unsure.has(path) || failed.some((step) => step?.path === path);
    if (!isUnsure) continue;
    const info = await client.pathInfos.get(pathOf(path).digest);
    if (info === undefined) model.paths.delete(path);
    else model.paths.set(path, info.node);
  }
  const pins = new Map<string, Node>();
  for await (const { name, target } of new Pins(client.records).list()) {
    if (target.type === "node") pins.set(name, target.node);
  }
  model.pins.clear();
  for (const [name, node] of pins) model.pins.set(Number(name.slice(4)), node);
}

async function checkKept(clients: readonly Client[], model: Model): Promise<void> {
  for (const client of clients) {
    for (const [path, node] of model.paths) {
      const info = await client.pathInfos.get(pathOf(path).digest);
      expect(info?.node, `path ${path}`).toEqual(node);
      expect(await client.isWhole(node), `contents of path ${path}`).toBe(true);
    }
    for (const [name, node] of model.pins) expect(await client.isWhole(node), `pin ${name}`).toBe(true);
  }
}
