import { FairQueue } from "./fair-queue.ts";

/**
 * Time that work of a kind may take before others are looked at, in milliseconds: less for messages, of which a stream brings
 * thousands, than for requests, since whoever waits for anything waits for that long.
 */
const SLICE_MS = 2;
const MESSAGES_SLICE_MS = 1;

/** Work of one kind. */
class Lane {
  /** Each tells whether there may be more of its kind in the same turn. */
  readonly waiting: FairQueue<() => boolean> = new FairQueue();
  readonly #sliceMs: number;
  /** When the first of this slice was begun; undefined: none has been. */
  #began: number | undefined;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /**
   * Whether there is time left in this slice. It may have begun in another turn: to be told of each turn, one
   * has to ask in each, which has the loop look at all sockets once more.
   */
  hasTime(): boolean {
    const now = performance.now();
    this.#began ??= now;
    return now - this.#began < this.#sliceMs;
  }

  /** Another turn has begun, and with it another slice. */
  reset(): void {
    this.#began = undefined;
  }

  /** Begins with those who have waited longest. */
  serve(): void {
    this.reset();
    while (!this.waiting.isEmpty && this.hasTime()) {
      const isMore = this.waiting.shift()?.();
      if (isMore !== true) return;
    }
  }
}

/**
 * Shares the event loop between those who have much to be done and everybody else. Thousands of requests,
 * or short messages of one, come in one read of a socket, and would be dealt with one after the other
 * before anybody else is looked at. So each asks first, and when the time is up it waits for another turn;
 * those of one connection behind those of others.
 */
export class EventLoopTurns {
  readonly #requests = new Lane(SLICE_MS);
  readonly #connections = new Lane(SLICE_MS);
  readonly #messages = new Lane(MESSAGES_SLICE_MS);
  #isScheduled = false;

  /** Begins a request of a connection, at once when there is time left, as there mostly is. */
  request(connection: object, begin: () => void): void {
    this.#run(this.#requests, connection, begin);
  }

  /** Takes in a connection: requests go first. */
  connection(connection: object, begin: () => void): void {
    this.#run(this.#connections, connection, begin);
  }

  /**
   * The turn of the next message on a connection: requests and connections go first.
   *
   * @param signal aborted when nobody wants it any more
   * @returns undefined when there is time left; else what to wait for
   */
  message(connection: object, signal?: AbortSignal): Promise<void> | undefined {
    if (this.#messages.hasTime()) return undefined;
    this.#schedule();
    return new Promise((resolve) => {
      this.#messages.waiting.push(connection, () => {
        resolve();
        // What it does comes behind this, and takes nobody knows how long; one that was given up does nothing.
        return signal?.aborted === true;
      });
    });
  }

  #run(lane: Lane, owner: object, task: () => void): void {
    if (lane.hasTime()) {
      task();
      return;
    }
    this.#schedule();
    lane.waiting.push(owner, () => {
      task();
      return true;
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const lanes = [this.#requests, this.#connections, this.#messages];
      for (const lane of lanes) lane.serve();
      // What comes now has a slice of its own, before those who still wait.
      for (const lane of lanes) lane.reset();
      if (lanes.some(({ waiting }) => !waiting.isEmpty)) this.#schedule();
    });
  }
}
