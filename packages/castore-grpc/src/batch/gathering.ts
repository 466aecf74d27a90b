import { ByteBudget } from "@tvix/castore";
import { unlessAborted } from "@tvix/castore/backend";

/** What a {@link Gathering} gathers. */
export interface GatheringOptions<I, O> {
  /**
   * Asks for many at once.
   *
   * @returns what came of each, in order; undefined where it is to be asked for alone. Undefined as a whole where nobody
   *   can be asked for many
   */
  readonly ask: (items: readonly I[], signal: AbortSignal) => Promise<readonly (O | undefined)[] | undefined>;
  /** Bytes that an item takes in a question or in its answer. */
  readonly bytesOf: (item: I) => number;
  readonly maxItems: number;
  /** Bytes of one batch, unless its first item alone has more. */
  readonly maxBytes: number;
}

/** Questions under way before others wait to be asked together. */
const LANES = 2;

/** How long anybody waits for one of these to be answered before the next is asked beside them, in milliseconds. */
const PATIENCE_MS = 1000;

/** Of a batch that has failed, so many are asked for alone at a time. */
const RETRIES = 32;

/** After so many failures in a row nothing is gathered for a while, in milliseconds. */
const MAX_FAILURES = 3;
const PAUSE_MS = 30_000;

interface Waiting<I, O> {
  readonly item: I;
  readonly resolve: (answer: O | undefined) => void;
  /** Whether nobody waits for it any more. */
  hasLeft: boolean;
  /** The question that it has become part of is told. */
  onLeave: (() => void) | undefined;
}

/**
 * Puts questions together that are asked while a few are under way already. Whoever asks one after the other waits
 * for nobody, and many at once cost few calls. A batch decides nothing but what it brings: whatever fails
 * in one is asked for alone, and fails there as it would have without.
 */
export class Gathering<I, O> {
  readonly #options: GatheringOptions<I, O>;
  readonly #waiting: Waiting<I, O>[] = [];
  readonly #retries = new ByteBudget(RETRIES);
  #patience: ReturnType<typeof setTimeout> | undefined;
  #underWay = 0;
  #failures = 0;
  /** When it may be asked for many again, in the time of `performance.now()`. */
  #resumesAt = 0;

  constructor(options: GatheringOptions<I, O>) {
    this.#options = options;
  }

  /**
   * Asks for an item, alone or together with others.
   *
   * @param alone asks for it alone
   * @throws what that throws; the reason of the signal
   */
  async run<A>(item: I, alone: () => Promise<A>, signal: AbortSignal | undefined): Promise<O | A> {
    if (performance.now() < this.#resumesAt) return await alone();
    if (this.#underWay < LANES && this.#waiting.length === 0) return await this.#occupying(alone);
    const answer = await this.#gathered(item, signal);
    return answer ?? (await this.#again(alone));
  }

  /** Asks for what a batch has not brought: not for a thousand at once. */
  async #again<A>(alone: () => Promise<A>): Promise<A> {
    await this.#retries.acquire(1);
    try {
      return await alone();
    } finally {
      this.#retries.release(1);
    }
  }

  async #gathered(item: I, signal: AbortSignal | undefined): Promise<O | undefined> {
    const { promise, resolve } = Promise.withResolvers<O | undefined>();
    const waiting: Waiting<I, O> = { item, resolve, hasLeft: false, onLeave: undefined };
    this.#waiting.push(waiting);
    this.#loseNoPatience();
    try {
      return await unlessAborted(promise, signal);
    } finally {
      waiting.hasLeft = true;
      waiting.onLeave?.();
    }
  }

  /** Questions that are not answered hold nobody up for ever. */
  #loseNoPatience(): void {
    if (this.#patience !== undefined || this.#waiting.length === 0) return;
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      this.#next();
      this.#loseNoPatience();
    }, PATIENCE_MS);
  }

  async #occupying<T>(task: () => Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await task();
    } finally {
      this.#underWay--;
      this.#next();
    }
  }

  /** Asks for those that wait, in the place of a question that has been answered. */
  #next(): void {
    const batch = this.#take();
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#loseNoPatience();
    if (batch.length > 0) void this.#occupying(() => this.#askFor(batch));
  }

  #take(): readonly Waiting<I, O>[] {
    const { maxItems, maxBytes, bytesOf } = this.#options;
    const taken: Waiting<I, O>[] = [];
    let bytes = 0;
    let seen = 0;
    for (const waiting of this.#waiting) {
      if (!waiting.hasLeft) {
        bytes += bytesOf(waiting.item);
        if (taken.length === maxItems || (taken.length > 0 && bytes > maxBytes)) break;
        taken.push(waiting);
      }
      seen++;
    }
    this.#waiting.splice(0, seen);
    return taken;
  }

  async #askFor(batch: readonly Waiting<I, O>[]): Promise<void> {
    const cancellation = new AbortController();
    let present = batch.length;
    const onLeave = () => {
      if (--present === 0) cancellation.abort();
    };
    for (const waiting of batch) waiting.onLeave = onLeave;
    let answers: readonly (O | undefined)[] | undefined = [];
    try {
      answers = await this.#options.ask(
        batch.map(({ item }) => item),
        cancellation.signal,
      );
      this.#failures = 0;
    } catch {
      // Each is asked for alone, and fails for itself.
      if (!cancellation.signal.aborted) this.#failures++;
    }
    for (const waiting of batch) waiting.onLeave = undefined;
    if (answers === undefined) this.#resumesAt = Number.POSITIVE_INFINITY;
    else if (this.#failures >= MAX_FAILURES) {
      this.#failures = 0;
      this.#resumesAt = performance.now() + PAUSE_MS;
    }
    for (const [index, { resolve }] of batch.entries()) resolve(answers?.[index]);
  }
}
