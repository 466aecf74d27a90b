import { MemoryRecordStore, openRecordStore } from "@tvix/castore";
import { StorePath } from "@tvix/nix-compat";
import { collectStore, forgetPath } from "@tvix/store/collect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Client } from "./collect/world.ts";

import { FILE, LINK, openIndex, removePath } from "./indexed-store.ts";

/** Records whose calls take some turns of the event loop, more or fewer each time. */
class SlowRecords extends MemoryRecordStore {
  readonly #turns: () => number;

  constructor(turns: () => number) {
    super();
    this.#turns = turns;
  }

  async #wait(): Promise<void> {
    for (let turn = this.#turns(); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
  }

  override async get(key: Uint8Array) {
    await this.#wait();
    return await super.get(key);
  }

  override async write(...args: Parameters<MemoryRecordStore["write"]>) {
    await this.#wait();
    return await super.write(...args);
  }
}

test("whatever comes and goes while it is indexed and collected, what is there is found, and nothing else is left", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.infiniteStream(fc.nat(6)),
      fc.array(fc.nat(3), { maxLength: 12 }),
      async (delays, steps) => {
        const records = new SlowRecords(() => delays.next().value as number);
        const store = openIndex(records);
        const other = store.open();
        const tree = {
          x: FILE,
          many: Object.fromEntries(Array.from({ length: 5 }, (_, one) => [`${one}`, { x: LINK }])),
        };
        const { parts } = await Client.of(records);
        const digest = new Uint8Array(20).fill(1);
        const storePath = StorePath.from(digest, "path-1");
        const doing = steps.map(async (step) => {
          // It may be refused where its contents went at this moment.
          if (step === 0) await store.put(1, tree).catch(() => {});
          else if (step === 1) await forgetPath(parts, storePath).catch(() => {});
          else if (step === 2) await collectStore(parts, { graceMs: 0 }).catch(() => {});
          else other.note(digest);
        });
        await Promise.all(doing);
        await Promise.all([store.indexing.flush(), other.flush()]);
        const isThere = (await store.pathInfos.get(digest)) !== undefined;
        await store.open().flush();
        expect(await store.find("x")).toHaveLength(isThere ? 6 : 0);
        await removePath(records, storePath);
        await collectStore(parts, { graceMs: 0 });
        for (const table of ["~i1", "~j1", "~k1"]) {
          expect(await Array.fromAsync(records.entries({ prefix: Buffer.from(table) }))).toEqual([]);
        }
        await Promise.all([store.indexing.close(), other.close()]);
      },
    ),
    { numRuns: 100 },
  );
});

/** Records on which something is done once, right before a write that changes a key with this beginning. */
class InterruptedRecords extends MemoryRecordStore {
  interrupt: { readonly type: "put" | "del"; readonly prefix: string; run(): Promise<void> } | undefined;

  override async write(...args: Parameters<MemoryRecordStore["write"]>) {
    const [changes] = args;
    const { interrupt } = this;
    const isMeant = changes.some(
      ({ type, key }) =>
        type === interrupt?.type && Buffer.from(key.subarray(0, 3)).toString() === interrupt.prefix,
    );
    if (isMeant) {
      this.interrupt = undefined;
      await interrupt?.run();
    }
    return await super.write(...args);
  }
}

test.each(["forget", "a collection"])(
  "a path that is put and indexed again in the middle of %s is found",
  async (what) => {
    const records = new InterruptedRecords();
    const store = openIndex(records, (await openRecordStore(records)).directoryService);
    const { storePath } = await store.put(1, { x: FILE });
    await store.indexing.flush();
    const { parts } = await Client.of(records);
    let isPut = false;
    records.interrupt = {
      type: "del",
      prefix: "~j1",
      async run() {
        await store.put(1, { x: FILE });
        await store.indexing.flush();
        isPut = true;
      },
    };
    if (what === "forget") await forgetPath(parts, storePath);
    else {
      await removePath(records, storePath);
      await collectStore(parts, { graceMs: 0 });
    }
    expect(isPut).toBe(true);
    await store.open().flush();
    expect(await store.find("x")).toEqual(["path-1/x"]);
  },
);

test("what is forgotten in the middle of being indexed leaves nothing", async () => {
  const records = new InterruptedRecords();
  const store = openIndex(records, (await openRecordStore(records)).directoryService);
  const { parts } = await Client.of(records);
  let isForgotten = false;
  records.interrupt = {
    type: "put",
    prefix: "~j1",
    async run() {
      await forgetPath(parts, StorePath.from(new Uint8Array(20).fill(1), "path-1"));
      isForgotten = true;
    },
  };
  await store.put(1, { secret: FILE });
  await store.indexing.flush();
  expect(isForgotten).toBe(true);
  for (const table of ["~i1", "~j1", "~k1"]) {
    expect(await Array.fromAsync(records.entries({ prefix: Buffer.from(table) }))).toEqual([]);
  }
});
