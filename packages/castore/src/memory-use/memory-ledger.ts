import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";

/** Time that somebody waits for memory, in milliseconds. */
const WAIT_MS = 30_000;

interface Waiting {
  readonly bytes: number;
  enter(): void;
}

/**
 * Accounts for the memory that work for others takes: whoever is about to take some asks for it first,
 * waits in turn while there is none, and is refused when that takes too long. So many at once slow
 * each other down, and do not end the process.
 */
export class MemoryLedger {
  readonly #capacity: number;
  readonly #waitMs: number;
  readonly #queue: Waiting[] = [];
  #held = 0;
  /** What those hold who wait for more. */
  #stuck = 0;

  /**
   * @param capacity bytes that may be held in all; Infinity for any
   * @param options `waitMs`: time that somebody waits, in milliseconds. Default 30 s
   */
  constructor(capacity: number, { waitMs = WAIT_MS }: { readonly waitMs?: number } = {}) {
    this.#capacity = capacity;
    this.#waitMs = waitMs;
  }

  /** Bytes that may be held in all. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Bytes that are held. */
  get held(): number {
    return this.#held;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Holds memory until it is released.
   *
   * @param what needs it, for messages
   * @throws CastoreError TOO_LARGE when there never is so much, TOO_BUSY when it has taken too long; the
   *   reason of the signal
   */
  async hold(bytes: number, what: string, options: OperationOptions = {}): Promise<HeldMemory> {
    await this.#take(bytes, 0, what, options);
    return this.#heldBy(bytes, what);
  }

  /**
   * Holds memory until it is released, if there is some now and nobody waits.
   *
   * @param what needs it, for messages
   */
  tryHold(bytes: number, what: string): HeldMemory | undefined {
    return this.#tryTake(bytes) ? this.#heldBy(bytes, what) : undefined;
  }

  #heldBy(bytes: number, what: string): HeldMemory {
    return new HeldMemory(bytes, {
      grow: (more, held, growing) => this.#take(more, held, what, growing),
      release: (all) => this.#release(all),
    });
  }

  #tryTake(bytes: number): boolean {
    if (this.#queue.length > 0 || this.#held + bytes > this.#capacity) return false;
    this.#held += bytes;
    return true;
  }

  async #take(bytes: number, held: number, what: string, { signal }: OperationOptions): Promise<void> {
    signal?.throwIfAborted();
    if (held + bytes > this.#capacity) {
      const text = `${what} needs more than the ${this.#capacity} bytes of memory that there are`;
      throw new CastoreError("TOO_LARGE", text);
    }
    if (this.#tryTake(bytes)) return;
    // When all that is held is held by those who wait for more, none of them ever gets it.
    if (held > 0 && this.#stuck + held === this.#held) throw busy(what, "finds no memory");
    this.#stuck += held;
    try {
      await this.#wait(bytes, what, signal);
    } finally {
      this.#stuck -= held;
    }
  }

  async #wait(bytes: number, what: string, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const giveUp = (reason: unknown) => {
        leave();
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        reject(reason);
        // Who comes behind may need less.
        this.#admit();
      };
      const onAbort = () => giveUp(signal?.reason);
      const timer = setTimeout(() => {
        giveUp(busy(what, `has waited ${this.#waitMs / 1000} s for memory`));
      }, this.#waitMs);
      const waiting: Waiting = {
        bytes,
        enter: () => {
          leave();
          resolve();
        },
      };
      signal?.addEventListener("abort", onAbort);
      this.#queue.push(waiting);
    });
  }

  #release(bytes: number): void {
    this.#held -= bytes;
    this.#admit();
  }

  #admit(): void {
    for (
      let next = this.#queue[0];
      next !== undefined && this.#held + next.bytes <= this.#capacity;
      next = this.#queue[0]
    ) {
      this.#queue.shift();
      this.#held += next.bytes;
      next.enter();
    }
  }
}

function busy(what: string, why: string): CastoreError {
  return new CastoreError("TOO_BUSY", `${what} ${why}: too much is under way`);
}

/** What {@link HeldMemory} tells its ledger. */
interface Account {
  grow(bytes: number, held: number, options: OperationOptions): Promise<void>;
  release(bytes: number): void;
}

/** Memory that one piece of work holds. */
export class HeldMemory {
  readonly #account: Account;
  #bytes: number;

  /** @internal */
  constructor(bytes: number, account: Account) {
    this.#bytes = bytes;
    this.#account = account;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Holds that much more. Whoever grows waits while holding: where all do, the last one is refused.
   *
   * @throws as {@link MemoryLedger.hold}
   */
  async grow(bytes: number, options: OperationOptions = {}): Promise<void> {
    await this.#account.grow(bytes, this.#bytes, options);
    this.#bytes += bytes;
  }

  /** Gives all of it back. */
  release(): void {
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#account.release(bytes);
  }
}

/** For whoever accounts for nothing. */
export const UNLIMITED_MEMORY: MemoryLedger = new MemoryLedger(Number.POSITIVE_INFINITY);
