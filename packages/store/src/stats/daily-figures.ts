import { isDamage, type OperationOptions, type RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";
import { DAILY_FIGURES, type StoreFigures } from "../records/tables.ts";
import { measureStore } from "./measure-store.ts";

const DAY_MS = 86_400_000;

/** So many days are kept, the last ones: two years. */
const KEPT_DAYS = 730;

/** The fact since when somebody counts, in milliseconds since 1970. */
const COUNTING = "counting-since";

/** Whoever counts longer is taken for gone, in milliseconds. */
const CLAIM_MS = 3_600_000;

/** What a store had on each day on which it was counted. */
export class DailyFigures {
  readonly #records: RecordStore;

  /** @param records of the store itself */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  /**
   * Counts what there is now, unless somebody has done it today, or is at it: every record is looked at.
   *
   * @param now in milliseconds since 1970
   * @returns whether it was counted
   */
  async count(now: number = Date.now(), options: OperationOptions = {}): Promise<boolean> {
    if (await DAILY_FIGURES.has(this.#records, Math.floor(now / DAY_MS))) return false;
    const claim = await this.#claim(now);
    if (claim === undefined) return false;
    try {
      await this.#countNow(now, options);
    } finally {
      await this.#records.write([FACTS.remove(COUNTING)], [{ key: claim.key, value: claim.value }]);
    }
    return true;
  }

  async #countNow(now: number, options: OperationOptions): Promise<void> {
    const { paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes } = await measureStore(
      this.#records,
      options,
    );
    await this.keep({ time: now, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes });
    await this.#forgetOld(options);
  }

  /** Takes the count of this day; whoever has taken it and does not finish is not waited for long. */
  async #claim(now: number): Promise<{ readonly key: Uint8Array; readonly value: Uint8Array } | undefined> {
    const found = await FACTS.get(this.#records, COUNTING);
    const since = found === undefined ? 0 : Number(new TextDecoder().decode(found));
    if (Math.abs(now - since) < CLAIM_MS) return undefined;
    const claim = FACTS.put(COUNTING, new TextEncoder().encode(String(now)));
    return (await this.#records.write([claim], [{ key: claim.key, value: found }])) ? claim : undefined;
  }

  async #forgetOld(options: OperationOptions): Promise<void> {
    let days = await DAILY_FIGURES.count(this.#records, options);
    for await (const entry of DAILY_FIGURES.entries(this.#records, undefined, options)) {
      if (days-- <= KEPT_DAYS) break;
      await this.#records.write([entry.remove()]);
    }
  }

  /** Keeps what was counted on the day of its time. */
  async keep(figures: StoreFigures): Promise<void> {
    await this.#records.write([DAILY_FIGURES.put(Math.floor(figures.time / DAY_MS), figures)]);
  }

  /** All of them, the oldest first. */
  async list(options: OperationOptions = {}): Promise<readonly StoreFigures[]> {
    const figures: StoreFigures[] = [];
    for await (const entry of DAILY_FIGURES.entries(this.#records, undefined, options)) {
      try {
        figures.push(entry.value());
      } catch (error) {
        // A day less is no reason to tell nothing.
        if (!isDamage(error)) throw error;
      }
    }
    return figures;
  }
}
