import { equalBytes } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";
import type { RecordChange, RecordCondition, RecordStore } from "../records/record-store.ts";
import { FACTS } from "../records/tables.ts";
import {
  type CollectionPhase,
  type CollectionState,
  isStill,
  readCollection,
  stateChange,
} from "./collection-state.ts";

/** The facts that say who collects: an identifier (16 bytes), and until when at least (u64, milliseconds since 1970). */
const COLLECTOR = "collector";
const UNTIL = "collector-until";

/** Lets the next collection begin at once: for who knows that nobody else has the records open. */
export async function forgetCollector(records: RecordStore): Promise<void> {
  if (await FACTS.has(records, COLLECTOR))
    await records.write([FACTS.remove(COLLECTOR), FACTS.remove(UNTIL)]);
}

/** Time for which a collector counts as at work without a sign of life, in milliseconds. */
const LEASE_MS = 30_000;

/** By so much the clocks of two processes may differ, in milliseconds. */
const CLOCK_SKEW_MS = 600_000;

/**
 * The right to take a collection on. At most one process has it; every write of the collection is made on
 * condition that it still has, and that the collection is as far as it thinks: one that stood still for too long can
 * do nothing any more.
 */
export class Collector {
  readonly #records: RecordStore;
  readonly #id: Uint8Array = crypto.getRandomValues(new Uint8Array(16));
  #renewing: ReturnType<typeof setInterval> | undefined;
  #state: CollectionState;

  private constructor(records: RecordStore, state: CollectionState) {
    this.#records = records;
    this.#state = state;
  }

  /** @throws CastoreError LOCKED when somebody else collects */
  static async start(records: RecordStore): Promise<Collector> {
    const collector = new Collector(records, await readCollection(records));
    await collector.#take();
    try {
      // Somebody else may have taken it on until then.
      collector.#state = await readCollection(records);
    } catch (error) {
      // Nobody would end it.
      await collector.end().catch(() => {});
      throw error;
    }
    return collector;
  }

  get state(): CollectionState {
    return this.#state;
  }

  /** Takes the collection to another phase. @throws as {@link write} */
  async enter(phase: CollectionPhase, number: number = this.#state.number): Promise<void> {
    const change = stateChange({ phase, number, since: Date.now() });
    await this.write([change]);
    this.#state = await readCollection(this.#records);
  }

  /**
   * Writes something of the collection.
   *
   * @returns false when a condition does not hold
   * @throws CastoreError UNAVAILABLE when somebody else has taken the collection over
   */
  async write(
    changes: readonly RecordChange[],
    conditions: readonly RecordCondition[] = [],
  ): Promise<boolean> {
    const own = [isStill(this.#state), this.#isOurs()];
    if (await this.#records.write(changes, [...conditions, ...own])) return true;
    const [state, id] = await this.#records.getMany(own.map(({ key }) => key));
    if (sameBytes(state, this.#state.record) && sameBytes(id, this.#id)) return false;
    throw new CastoreError("UNAVAILABLE", "another process has taken the collection over");
  }

  /** Lets somebody else collect. */
  async end(): Promise<void> {
    clearInterval(this.#renewing);
    await this.#records.write([FACTS.remove(COLLECTOR), FACTS.remove(UNTIL)], [this.#isOurs()]);
  }

  async #take(): Promise<void> {
    const [id, until] = [COLLECTOR, UNTIL].map((name) => FACTS.keyOf(name)) as [Uint8Array, Uint8Array];
    const [knownId, knownUntil] = await this.#records.getMany([id, until]);
    if (knownId !== undefined && isAhead(momentOf(knownUntil))) throw busy();
    const areAsFound = [
      { key: id, value: knownId },
      { key: until, value: knownUntil },
    ];
    if (!(await this.#records.write([FACTS.put(COLLECTOR, this.#id), aWhile()], areAsFound))) throw busy();
    // One who cannot say so finds out with the next write whether somebody else has taken over.
    const renew = () => void this.#records.write([aWhile()], [this.#isOurs()]).catch(() => {});
    this.#renewing = setInterval(renew, LEASE_MS / 3);
    // Where there are processes, it keeps none from ending.
    (this.#renewing as { unref?: () => void }).unref?.();
  }

  #isOurs(): RecordCondition {
    return { key: FACTS.keyOf(COLLECTOR), value: this.#id };
  }
}

/** That the collector counts as at work from now on for as long as that is so without a sign of life. */
function aWhile(): RecordChange {
  const until = new Uint8Array(8);
  new DataView(until.buffer).setBigUint64(0, BigInt(Date.now() + LEASE_MS));
  return FACTS.put(UNTIL, until);
}

/**
 * Whether a lease holds. One that would hold for longer than any that is given, even where two clocks differ, was given by a clock that is
 * wrong, or ours is: it is taken over, and whoever has it sees that with its next write.
 */
function isAhead(until: number): boolean {
  const leftMs = until - Date.now();
  return leftMs > 0 && leftMs <= LEASE_MS + CLOCK_SKEW_MS;
}

function busy(): CastoreError {
  return new CastoreError("LOCKED", "another process collects garbage here");
}

function momentOf(until: Uint8Array | undefined): number {
  if (until?.length !== 8) return 0;
  return Number(new DataView(until.buffer, until.byteOffset).getBigUint64(0));
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : equalBytes(one, other);
}
