import type { Health } from "@tvix/grpc-reflection";
import type { Logger } from "pino";

/** How often the storage is looked at, in milliseconds. */
const INTERVAL_MS = 1000;

/**
 * Tells whether the storage behind a server takes what is stored. While it does not, the server says
 * so where it is asked for its health, and in the log; what is there can be read all the same.
 */
export class StorageWatch {
  readonly #check: () => Promise<Error | undefined>;
  readonly #health: Health;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #failure: Error | undefined;
  #ended = false;

  /** @param check says what is wrong, and tries to mend it */
  constructor(check: () => Promise<Error | undefined>, health: Health, log: Logger) {
    this.#check = check;
    this.#health = health;
    this.#log = log;
    this.#timer = setInterval(() => void this.look(), INTERVAL_MS);
    this.#timer.unref();
  }

  /** What is wrong now; undefined while all is well. */
  async look(): Promise<Error | undefined> {
    if (this.#ended) return undefined;
    const found = await this.#check().catch((error: Error) => error);
    if (this.#ended) return found;
    const before = this.#failure;
    this.#failure = found;
    if ((before === undefined) === (this.#failure === undefined)) return this.#failure;
    if (this.#failure === undefined) this.#log.info("the storage takes what is stored again");
    else this.#log.error({ err: this.#failure }, "the storage takes nothing; what is there can be read");
    this.#health.setAll(this.#failure === undefined ? "SERVING" : "NOT_SERVING");
    return this.#failure;
  }

  /** Looks no more; a look that is under way has no consequences. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }
}
