import type { OperationOptions } from "@tvix/castore";
import type { StoreFigures } from "@tvix/store/records";
import type { DailyFigures } from "@tvix/store/stats";
import type { Logger } from "pino";

/** How often it is looked whether a day has begun, in milliseconds; the first time when a start is over. */
const LOOK_MS = 600_000;

/** How long somebody waits who asks before the store was counted today, in milliseconds. */
const PATIENCE_MS = 1000;

/** Counts what a store has once a day, by itself or when somebody asks, whichever is first. */
export class CountedDaily {
  readonly #figures: DailyFigures;
  readonly #log: Logger;
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #counting: Promise<void> | undefined;
  /** Whether it failed when it was tried last: then it is tried again with the next look only. */
  #hasFailed = false;

  constructor(figures: DailyFigures, log: Logger) {
    this.#figures = figures;
    this.#log = log;
    this.#timer = setInterval(() => {
      this.#hasFailed = false;
      void this.#count();
    }, LOOK_MS).unref();
  }

  /** What is known of all days; of today as well, unless counting takes long. */
  async list(options: OperationOptions = {}): Promise<readonly StoreFigures[]> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([this.#count(), patience]);
    clearTimeout(timer);
    return await this.#figures.list(options);
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort(new Error("the daemon ends"));
    await this.#counting;
  }

  async #count(): Promise<void> {
    this.#counting ??= this.#countNow().finally(() => {
      this.#counting = undefined;
    });
    await this.#counting;
  }

  async #countNow(): Promise<void> {
    const { signal } = this.#ending;
    try {
      if (!signal.aborted && !this.#hasFailed) await this.#figures.count(Date.now(), { signal });
    } catch (error) {
      this.#hasFailed = true;
      if (!signal.aborted) this.#log.warn({ err: error }, "what is stored could not be counted");
    }
  }
}
