import type { OperationOptions, RecordStore } from "@tvix/castore";
import { isDamage } from "@tvix/castore";
import { DAILY_FIGURES, type StoreFigures } from "../records/tables.ts";
import { measureStore } from "./measure-store.ts";

const DAY_MS = 86_400_000;

/** Days of which is known what a store had; older ones are forgotten. */
const KEPT_DAYS = 730;

/** What a store had on each day on which it was counted. */
export class DailyFigures {
  readonly #records: RecordStore;

  /** @param records of the store itself */
  constructor(records: RecordStore) {
    this.#records = records;
  }

  /**
   * Counts what there is now, unless somebody has done it today: every record is looked at.
   *
   * @param now in milliseconds since 1970
   * @returns whether it was counted
   */
  async count(now: number = Date.now(), options: OperationOptions = {}): Promise<boolean> {
    const day = Math.floor(now / DAY_MS);
    if (await DAILY_FIGURES.has(this.#records, day)) return false;
    const { paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes } = await measureStore(
      this.#records,
      options,
    );
    await this.keep({ time: now, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes });
    for await (const entry of DAILY_FIGURES.entries(this.#records, undefined, options)) {
      const counted = entry.findKey();
      if (counted !== undefined && counted > day - KEPT_DAYS) break;
      await this.#records.write([entry.remove()]);
    }
    return true;
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
