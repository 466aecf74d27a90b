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

/** The fact that says who collects: an identifier (16 bytes), until when (u64, milliseconds since 1970). */
const COLLECTOR = "collector";

/** Lets the next collection begin at once: for who knows that nobody else has the records open. */
export async function forgetCollector(records: RecordStore): Promise<void> {
  if (await FACTS.has(records, COLLECTOR)) await records.write([FACTS.remove(COLLECTOR)]);
}

/** Time for which a collector counts as at work without a sign of life, in milliseconds. */
const LEASE_MS = 600_000;

/**
 * The right to take a collection on. At most one process has it; every write of the collection is made on
 * condition that it still has, and that the collection is as far as it thinks: one that stood still for too long can
 * do nothing any more.
 */
export class Collector {
  readonly #records: RecordStore;
  readonly #id: Uint8Array = crypto.getRandomValues(new Uint8Array(16));
  #lease: Uint8Array | undefined;
  #expires = 0;
  #state: CollectionState;

  private constructor(records: RecordStore, state: CollectionState) {
    this.#records = records;
    this.#state = state;
  }

  /** @throws CastoreError LOCKED when somebody else collects */
  static async start(records: RecordStore): Promise<Collector> {
    const collector = new Collector(records, await readCollection(records));
    const known = await FACTS.get(records, COLLECTOR);
    if (known !== undefined && expiryOf(known) > Date.now()) throw busy();
    collector.#lease = known;
    await collector.#renew();
    // Somebody else may have taken it on until then.
    collector.#state = await readCollection(records);
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
    if (Date.now() > this.#expires - LEASE_MS / 2) await this.#renew();
    const own = [isStill(this.#state), this.#isOurs()];
    if (await this.#records.write(changes, [...conditions, ...own])) return true;
    const [state, lease] = await this.#records.getMany(own.map(({ key }) => key));
    if (sameBytes(state, this.#state.record) && sameBytes(lease, this.#lease)) return false;
    throw new CastoreError("UNAVAILABLE", "another process has taken the collection over");
  }

  /** Lets somebody else collect. */
  async end(): Promise<void> {
    await this.#records.write([FACTS.remove(COLLECTOR)], [this.#isOurs()]);
  }

  async #renew(): Promise<void> {
    const expires = Date.now() + LEASE_MS;
    const lease = new Uint8Array(24);
    lease.set(this.#id);
    new DataView(lease.buffer).setBigUint64(16, BigInt(expires));
    const change = FACTS.put(COLLECTOR, lease);
    if (!(await this.#records.write([change], [this.#isOurs()]))) throw busy();
    this.#lease = lease;
    this.#expires = expires;
  }

  #isOurs(): RecordCondition {
    return { key: FACTS.keyOf(COLLECTOR), value: this.#lease };
  }
}

function busy(): CastoreError {
  return new CastoreError("LOCKED", "another process collects garbage here");
}

function expiryOf(lease: Uint8Array): number {
  if (lease.length !== 24) return 0;
  return Number(new DataView(lease.buffer, lease.byteOffset).getBigUint64(16));
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one === undefined || other === undefined ? one === other : equalBytes(one, other);
}
