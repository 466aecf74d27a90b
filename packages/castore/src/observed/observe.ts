/** A call of a service that has ended. */
export interface ObservedCall {
  /** Name of the method, such as `read`. */
  readonly method: string;
  /** Time until its answer was complete, in seconds; of a stream until its end, or until its reader has left. */
  readonly seconds: number;
  /** `found`, `missing`, `done`, or what it failed with: the code of the error, `ABORTED`, `UNKNOWN`. */
  readonly outcome: string;
}

/** Told of each call; fast, and never failing. */
export type ObserveCall = (call: ObservedCall) => void;

/** Observes calls of one service. */
export class CallObserver {
  readonly #observe: ObserveCall;

  constructor(observe: ObserveCall) {
    this.#observe = observe;
  }

  /**
   * Observes a call with one answer.
   *
   * @param outcomeOf what an answer is
   */
  async call<T>(method: string, outcomeOf: (answer: T) => string, task: () => Promise<T>): Promise<T> {
    const end = this.#begin(method);
    try {
      const answer = await task();
      end(outcomeOf(answer));
      return answer;
    } catch (error) {
      end(failureOf(error));
      throw error;
    }
  }

  /** Observes a stream from the moment it is read. */
  async *stream<T>(
    method: string,
    begin: () => AsyncIterable<T> | Promise<AsyncIterable<T>>,
  ): AsyncGenerator<T, void, undefined> {
    const end = this.#begin(method);
    let outcome = "done";
    try {
      yield* await begin();
    } catch (error) {
      outcome = failureOf(error);
      throw error;
    } finally {
      end(outcome);
    }
  }

  #begin(method: string): (outcome: string) => void {
    const started = performance.now();
    return (outcome) => this.#observe({ method, seconds: (performance.now() - started) / 1000, outcome });
  }
}

/** What a look-up has come to. */
export function foundOrMissing(answer: unknown): string {
  return answer === undefined || answer === false ? "missing" : "found";
}

/** What any other call has come to. */
export function done(): string {
  return "done";
}

function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return "UNKNOWN";
  if (error.name === "AbortError" || error.name === "TimeoutError") return "ABORTED";
  return "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
}
