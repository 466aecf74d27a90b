import { isFailureOfService } from "../errors/failure-of-service.ts";

/** How long nothing is kept near after that has failed, in milliseconds: a full disk is not asked each time. */
const REST_MS = 10_000;

/** Failures of a near service, which those who ask do not see. */
export class NearFailures {
  readonly #onFailure: (error: unknown) => void;
  /** By the clock that goes on evenly, whatever becomes of the time of day. */
  #restsUntil = 0;

  /** @param onFailure told of each of them */
  constructor(onFailure: (error: unknown) => void = () => {}) {
    this.#onFailure = onFailure;
  }

  /** Whether it makes sense to keep anything near now. */
  get mayKeep(): boolean {
    return performance.now() >= this.#restsUntil;
  }

  /** Lets what the near service is asked for count as absent where that fails by itself. */
  async orAbsent<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!isFailureOfService(error)) throw error;
      this.#onFailure(error);
      return undefined;
    }
  }

  /** Notes that something was damaged, and came from afar. */
  damaged(error: unknown): void {
    this.#onFailure(error);
  }

  /** Notes that something could not be kept. */
  notKept(error: unknown): void {
    this.#restsUntil = performance.now() + REST_MS;
    this.#onFailure(error);
  }
}
