import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RecordChange } from "@tvix/castore";
import { openStore, type Store } from "@tvix/castore-packs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../../test/temporary.ts";
import { copyAsKilled, cutLogs, lose, tearJournal } from "./harm.ts";

/** Records as text, by their keys: what a store should have. */
type Model = Map<string, string>;

const utf8 = new TextEncoder();

/** What is done to a store, one after the other. */
type Step =
  | { readonly type: "write"; readonly keys: readonly number[]; readonly size: number }
  | { readonly type: "remove"; readonly key: number }
  | { readonly type: "compact" }
  | { readonly type: "close" }
  | { readonly type: "keep-index" }
  | {
      readonly type: "kill";
      readonly harm: "none" | "cut-logs" | "torn" | "no-index" | "old-index" | "no-journal";
    };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("write" as const),
      keys: fc.array(fc.nat(30), { minLength: 1, maxLength: 8 }),
      size: fc.constantFrom(1, 100, 30_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("remove" as const), key: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ type: "compact" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "close" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "keep-index" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("kill" as const),
      harm: fc.constantFrom(
        "none" as const,
        "cut-logs" as const,
        "torn" as const,
        "no-index" as const,
        "old-index" as const,
        "no-journal" as const,
      ),
    }),
  },
);

/** A store that is closed, killed, harmed and opened again, and what should be in it. */
class World {
  readonly #folder: string;
  readonly #model: Model = new Map();
  #path: string;
  #store: Store;
  readonly #journalBytes: number | undefined;
  #killed = 0;
  #writes = 0;
  #oldIndex: string | undefined;

  private constructor(folder: string, path: string, store: Store, journalBytes: number | undefined) {
    this.#folder = folder;
    this.#path = path;
    this.#store = store;
    this.#journalBytes = journalBytes;
  }

  /** @param journalBytes where that is given, files of the journal come and go by themselves */
  static async open(folder: string, journalBytes: number | undefined): Promise<World> {
    const path = join(folder, "0");
    return new World(folder, path, await open(path, journalBytes), journalBytes);
  }

  async run(one: Step): Promise<void> {
    if (one.type === "write") {
      this.#writes++;
      const value = `${this.#writes} ${"x".repeat(one.size)}`;
      await this.#write(one.keys.map((key) => [`w1${key}`, value]));
    }
    if (one.type === "remove") await this.#write([[`w1${one.key}`, undefined]]);
    if (one.type === "compact") {
      await this.#store.compact();
      // An index from before is older than the journal reaches back.
      this.#oldIndex = undefined;
    }
    if (one.type === "close") {
      await this.#store.close();
      this.#store = await open(this.#path, this.#journalBytes);
    }
    if (one.type === "keep-index") await this.#keepIndex();
    if (one.type === "kill") await this.#kill(one.harm);
    expect(await this.#found()).toEqual(new Map([...this.#model].sort()));
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #write(values: readonly (readonly [key: string, value: string | undefined])[]): Promise<void> {
    const changes = values.map(([key, value]): RecordChange => {
      if (value === undefined) return { type: "del", key: utf8.encode(key) };
      return { type: "put", key: utf8.encode(key), value: utf8.encode(value) };
    });
    await this.#store.database.write(changes);
    for (const [key, value] of values) {
      if (value === undefined) this.#model.delete(key);
      else this.#model.set(key, value);
    }
  }

  async #keepIndex(): Promise<void> {
    await this.#store.close();
    this.#oldIndex = join(this.#folder, "old-index");
    await rm(this.#oldIndex, { recursive: true, force: true });
    await cp(join(this.#path, "index"), this.#oldIndex, { recursive: true });
    this.#store = await open(this.#path, this.#journalBytes);
  }

  async #kill(harm: (Step & { type: "kill" })["harm"]): Promise<void> {
    const next = join(this.#folder, String(++this.#killed));
    // What goes on by itself would change while it is copied.
    if (this.#journalBytes !== undefined) await this.#store.close();
    await copyAsKilled(this.#path, next);
    await this.#store.close();
    if (harm === "cut-logs") await cutLogs(next, 0.4);
    if (harm === "torn") await tearJournal(next, utf8.encode("JRNL and no more"));
    if (harm === "no-index") await lose(next, "index");
    if (harm === "no-journal") {
      await lose(next, "journal");
      this.#oldIndex = undefined;
    }
    if (harm === "old-index" && this.#oldIndex !== undefined) {
      await lose(next, "index");
      await cp(this.#oldIndex, join(next, "index"), { recursive: true });
    }
    this.#path = next;
    this.#store = await open(next, this.#journalBytes).catch(async (error) => {
      // An index from before may be older than what is left of the journal.
      if (harm !== "old-index" || error.code !== "CORRUPT") throw error;
      this.#oldIndex = undefined;
      await lose(next, "index");
      return await open(next, this.#journalBytes);
    });
  }

  async #found(): Promise<Model> {
    const found: Model = new Map();
    const utf8 = new TextDecoder();
    for await (const [key, value] of this.#store.database.entries({
      prefix: new TextEncoder().encode("w1"),
    })) {
      found.set(utf8.decode(key), utf8.decode(value));
    }
    return found;
  }
}

async function open(path: string, journalBytes: number | undefined): Promise<Store> {
  return await openStore(path, journalBytes === undefined ? {} : { journalBytes });
}

test("whatever happens to a store, its records are those that were acknowledged", async () => {
  const runs = Number(process.env["JOURNAL_RUNS"] ?? 25);
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.constantFrom(undefined, 1, 5000),
      async (steps, bytes) => {
        const folder = await temporaryDirectory();
        const world = await World.open(folder, bytes);
        try {
          for (const one of steps) await world.run(one);
        } finally {
          await world.close();
          await rm(folder, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: runs },
  );
}, 600_000);
