import type { RecordChange, RecordCondition } from "@tvix/castore";
import { type SharedWrite, textOf, weightOf } from "./packed-writes.ts";

/** Bytes, and writes, that share a transaction at the most. */
const GROUP_BYTES = 4 << 20;
const GROUP_WRITES = 2000;

interface WaitingWrite extends SharedWrite {
  readonly settle: (done: Promise<boolean>) => void;
}

/**
 * Lets writes that wait share a transaction. Those of one group have nothing to do with each other: no key that one
 * of them changes is changed or looked at by another one, so their order does not matter. Writes of one key are done in the order in
 * which they came.
 */
export class WriteQueue {
  readonly #write: (group: readonly SharedWrite[]) => Promise<readonly boolean[]>;
  readonly #atOnce: number;
  #waiting: WaitingWrite[] = [];
  /** Keys that are being written, with how many groups do. */
  readonly #busy: Set<string> = new Set();
  #underWay = 0;
  #isScheduled = false;
  #idle: PromiseWithResolvers<void> | undefined;

  /**
   * @param write does a group, and tells of each write whether its conditions held
   * @param atOnce groups that are under way at the same time
   */
  constructor(write: (group: readonly SharedWrite[]) => Promise<readonly boolean[]>, atOnce: number) {
    this.#write = write;
    this.#atOnce = atOnce;
  }

  /** @returns whether the conditions held, and all was written */
  add(changes: readonly RecordChange[], conditions: readonly RecordCondition[]): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ changes, conditions, settle: resolve });
      if (this.#isScheduled || this.#underWay >= this.#atOnce) return;
      // Whatever comes in the same turn of the event loop joins the group.
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#begin();
      });
    });
  }

  /** Resolves when nothing is waiting or under way any more. */
  async idle(): Promise<void> {
    if (this.#underWay === 0 && this.#waiting.length === 0) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  #begin(): void {
    while (this.#underWay < this.#atOnce && this.#waiting.length > 0) {
      const { group, keys } = this.#takeGroup();
      // All that wait need what is being written.
      if (group.length === 0) return;
      this.#underWay++;
      void this.#run(group, keys);
    }
  }

  async #run(group: readonly WaitingWrite[], keys: readonly string[]): Promise<void> {
    const writing = this.#write(group);
    for (const [index, { settle }] of group.entries()) settle(writing.then((done) => done[index] ?? false));
    await writing.catch(() => {});
    for (const key of keys) this.#busy.delete(key);
    this.#underWay--;
    this.#begin();
    if (this.#underWay > 0 || this.#waiting.length > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** The first that wait, but for those that touch what others of them, or of another group, change; and what they change. */
  #takeGroup(): { readonly group: readonly WaitingWrite[]; readonly keys: readonly string[] } {
    const group: WaitingWrite[] = [];
    const left: WaitingWrite[] = [];
    const [changed, looked] = [new Set<string>(), new Set<string>()];
    let weight = 0;
    for (const [index, write] of this.#waiting.entries()) {
      if (group.length >= GROUP_WRITES || weight >= GROUP_BYTES) {
        left.push(...this.#waiting.slice(index));
        break;
      }
      const changes = write.changes.map(({ key }) => textOf(key));
      const looks = write.conditions.map(({ key }) => textOf(key));
      const isFree =
        changes.every((key) => !changed.has(key) && !looked.has(key) && !this.#busy.has(key)) &&
        looks.every((key) => !changed.has(key) && !this.#busy.has(key));
      // Those that stay keep their order: nobody overtakes them.
      for (const key of changes) changed.add(key);
      for (const key of looks) looked.add(key);
      if (!isFree) {
        left.push(write);
        continue;
      }
      group.push(write);
      weight += weightOf(write);
    }
    this.#waiting = left;
    const keys = group.flatMap(({ changes }) => changes.map(({ key }) => textOf(key)));
    for (const key of keys) this.#busy.add(key);
    return { group, keys };
  }
}
