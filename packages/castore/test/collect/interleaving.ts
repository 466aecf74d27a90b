import type { RecordChange, RecordCondition, RecordRange, RecordStore } from "@tvix/castore";

/** One of several that use a store at the same time. */
export type Actor = (records: RecordStore) => Promise<void>;

/** At which of its steps who goes on instead of who was at work: the others wait. */
export type Schedule = readonly number[];

/** Runs actors on one store, in turns that a schedule gives: each operation on records is a step. */
class Interleaving {
  readonly #parked: (() => void)[][];
  readonly #records: RecordStore;

  constructor(records: RecordStore, actors: number) {
    this.#records = records;
    this.#parked = Array.from({ length: actors }, () => []);
  }

  /** The store, as an actor sees it. */
  viewOf(actor: number): RecordStore {
    const turn = () => new Promise<void>((resolve) => this.#parked[actor]?.push(resolve));
    const inner = this.#records;
    return {
      get: (key: Uint8Array) => turn().then(() => inner.get(key)),
      getMany: (keys: readonly Uint8Array[]) => turn().then(() => inner.getMany(keys)),
      has: (key: Uint8Array) => turn().then(() => inner.has(key)),
      write: (changes: readonly RecordChange[], conditions?: readonly RecordCondition[]) =>
        turn().then(() => inner.write(changes, conditions)),
      async *entries(range: RecordRange) {
        await turn();
        yield* inner.entries(range);
      },
      close: async () => {},
    };
  }

  isWaiting(actor: number): boolean {
    return (this.#parked[actor]?.length ?? 0) > 0;
  }

  /** Lets an actor do its next step, and everything up to the one after that. */
  async step(actor: number): Promise<void> {
    this.#parked[actor]?.shift()?.();
    // What it does without the store takes no longer than the tasks that are due now.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * Runs actors once.
 *
 * @param schedule numbers of steps, of all that are done, after which the other goes on
 * @returns how many steps there were
 */
async function runOnce(
  records: RecordStore,
  actors: readonly Actor[],
  first: number,
  schedule: Schedule,
): Promise<number> {
  const interleaving = new Interleaving(records, actors.length);
  const running = new Set(actors.keys());
  const ends = actors.map((actor, index) =>
    actor(interleaving.viewOf(index)).finally(() => running.delete(index)),
  );
  const all = Promise.all(ends);
  all.catch(() => {});
  let current = first;
  let steps = 0;
  await new Promise((resolve) => setImmediate(resolve));
  while (running.size > 0) {
    if (schedule.includes(steps)) current = (current + 1) % actors.length;
    if (!interleaving.isWaiting(current)) {
      current = [...running].find((actor) => interleaving.isWaiting(actor)) ?? current;
      if (!interleaving.isWaiting(current)) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
    }
    await interleaving.step(current);
    steps++;
  }
  await all;
  return steps;
}

/** A way to run some actors. */
export interface Scenario {
  readonly records: RecordStore;
  readonly actors: readonly Actor[];
  /** Looks at what has come of it. */
  check(): Promise<void>;
}

/**
 * Runs a scenario in every order of steps with up to some changes of turn, whoever begins.
 *
 * @param setUp makes it anew for each order
 * @returns in how many orders it was run
 */
export async function everyInterleaving(setUp: () => Promise<Scenario>, switches: number): Promise<number> {
  let runs = 0;
  const explore = async (first: number, schedule: Schedule): Promise<void> => {
    const scenario = await setUp();
    let steps = 0;
    try {
      steps = await runOnce(scenario.records, scenario.actors, first, schedule);
      await scenario.check();
    } catch (cause) {
      throw new Error(`in the order ${first}: ${schedule.join(", ")}`, { cause });
    }
    runs++;
    if (schedule.length === switches) return;
    for (let at = (schedule.at(-1) ?? -1) + 1; at < steps; at++) await explore(first, [...schedule, at]);
  };
  const { actors } = await setUp();
  for (let first = 0; first < actors.length; first++) await explore(first, []);
  return runs;
}
