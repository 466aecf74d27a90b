import type { RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";
import type { Logger } from "pino";
import type { Maintenance } from "./maintenance.ts";

/** How a store is looked through by itself. */
export interface ScrubOptions {
  /** Time in which all of it is read once, in milliseconds. */
  readonly periodMs: number;
  /** Bytes that are read in a second, at most. */
  readonly bytesPerSecond: number;
}

/** One part of a store is read a day; of a shorter period, all of it each time. */
const PART_MS = 86_400_000;

/** How often it is looked whether a part is due, in milliseconds. */
const LOOK_MS = 60_000;

/** The fact which part was read last, counted from 1970 on. */
const SCRUBBED = "scrubbed";

/**
 * Looks through a store from time to time, a part of its bytes after the other, and writes into the log what is wrong. What
 * was found damaged counts as absent from then on.
 */
export class ScheduledScrubs {
  readonly #maintenance: Pick<Maintenance, "verify">;
  readonly #records: RecordStore;
  readonly #options: ScrubOptions;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;

  /**
   * @param records remember which part was read
   * @param now in milliseconds
   */
  constructor(
    maintenance: Pick<Maintenance, "verify">,
    records: RecordStore,
    options: ScrubOptions,
    log: Logger,
    now: number = Date.now(),
  ) {
    this.#maintenance = maintenance;
    this.#records = records;
    this.#options = options;
    this.#log = log;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
    void this.look(now);
  }

  /** Reads the part that is due, if there is one and nothing is under way. */
  async look(now: number = Date.now()): Promise<void> {
    this.#running ??= this.#lookNow(now).finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Ends what is under way, which begins again another time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort(new Error("the daemon ends"));
    await this.#running;
  }

  async #lookNow(now: number): Promise<void> {
    const { signal } = this.#ending;
    const { periodMs, bytesPerSecond } = this.#options;
    const partMs = Math.min(PART_MS, periodMs);
    const number = Math.floor(now / partMs);
    try {
      if ((await this.#last()) >= number) return;
      const of = Math.max(1, Math.round(periodMs / partMs));
      const data = { part: (number % of) + 1, of };
      const { faults, bytesRead } = await this.#maintenance.verify({
        data,
        bytesPerSecond,
        signal,
        onFault: (fault) => this.#log.error({ fault }, "something is wrong with what is stored"),
      });
      await this.#records.write([FACTS.put(SCRUBBED, new TextEncoder().encode(String(number)))]);
      this.#log.info({ ...data, bytesRead, faults }, "looked through a part of the store");
    } catch (error) {
      if (!signal.aborted) this.#log.error({ err: error }, "the store could not be looked through");
    }
  }

  async #last(): Promise<number> {
    const stored = await FACTS.get(this.#records, SCRUBBED);
    return stored === undefined ? -1 : Number(new TextDecoder().decode(stored));
  }
}
