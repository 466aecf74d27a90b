import type { Logger } from "pino";
import type { Maintenance } from "./maintenance.ts";

/** The longest time that a timer takes, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** The first one comes sooner: a daemon may be restarted more often than it collects. */
const FIRST_MS = 600_000;

/** Collects the garbage of a store from time to time, one collection after the other. */
export class ScheduledCollections {
  readonly #maintenance: Maintenance;
  readonly #intervalMs: number | undefined;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  /**
   * @param intervalMs between two, at most 24 days; undefined: none but the first
   * @param isUnfinished whether one has to be taken up that was interrupted: then the first comes at once
   */
  constructor(
    maintenance: Maintenance,
    { intervalMs, isUnfinished }: { readonly intervalMs: number | undefined; readonly isUnfinished: boolean },
    log: Logger,
  ) {
    this.#maintenance = maintenance;
    this.#intervalMs = intervalMs && Math.min(intervalMs, LONGEST_MS);
    this.#log = log;
    this.#schedule(isUnfinished ? 0 : Math.min(this.#intervalMs ?? FIRST_MS, FIRST_MS));
  }

  /** Ends the one that is under way, which a later one takes on, and begins no other. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#ending.abort(new Error("the daemon ends"));
    await this.#running;
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#run().finally(() => {
        if (!this.#ending.signal.aborted && this.#intervalMs !== undefined) this.#schedule(this.#intervalMs);
      });
    }, delayMs).unref();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    try {
      const { paths, removed, condemned, freedBytes } = await this.#maintenance.collect({ signal });
      this.#log.info({ paths, removed, condemned, freedBytes }, "collected garbage");
    } catch (error) {
      if (!signal.aborted) this.#log.error({ err: error }, "garbage was not collected");
    }
  }
}
