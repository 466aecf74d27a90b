import { unlessAborted } from "../unless-aborted.ts";

/** A task that runs, and for how many. */
interface Flight<T> {
  readonly result: Promise<T>;
  readonly leaving: AbortController;
  waiting: number;
}

/**
 * Runs one task for all who ask for the same at a time. Whoever gives up leaves it to the others; the
 * task is told to end when nobody waits any more.
 */
export class SingleFlight<T> {
  readonly #flights: Map<string, Flight<T>> = new Map();

  /**
   * The result of the task under way for a key, which is begun where there is none.
   *
   * @param signal of this caller
   * @throws as the task does; the reason of the signal
   */
  async run(key: string, task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, task);
    flight.waiting++;
    try {
      return await unlessAborted(flight.result, signal);
    } finally {
      flight.waiting--;
      if (flight.waiting === 0) this.#end(key, flight);
    }
  }

  /** Tells every task under way to end. */
  abort(reason: unknown): void {
    for (const { leaving } of this.#flights.values()) leaving.abort(reason);
  }

  /** Waits for every task under way, however it ends. */
  async settled(): Promise<void> {
    await Promise.allSettled(Array.from(this.#flights.values(), ({ result }) => result));
  }

  #begin(key: string, task: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const leaving = new AbortController();
    const result = task(leaving.signal);
    const flight: Flight<T> = { result, leaving, waiting: 0 };
    // Those who wait see a failure; perhaps nobody does any more.
    result.catch(() => {}).finally(() => this.#forget(key, flight));
    this.#flights.set(key, flight);
    return flight;
  }

  #end(key: string, flight: Flight<T>): void {
    this.#forget(key, flight);
    // Without an effect on one that has ended.
    flight.leaving.abort(new Error("nobody waits for it any more"));
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
