import type { ChunkStore } from "../chunks/chunk-store.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { ByteBudget } from "../memory-use/byte-budget.ts";

/** What {@link ChunkWriter} takes where nobody says otherwise. */
const IN_FLIGHT_BYTES = 6 << 20;

/** Writes chunks that are not there yet, each once however many uploads bring it. */
export class ChunkWriter {
  readonly #store: ChunkStore;
  readonly #onPut: (bytes: number) => void;
  readonly #budget: ByteBudget;
  readonly #inFlight: Map<string, Promise<void>> = new Map();

  /**
   * @param onPut told of the length of each chunk, whether it is there or not
   * @param inFlightBytes bytes of chunks that the store has not yet taken over, over all uploads
   */
  constructor(
    store: ChunkStore,
    onPut: (bytes: number) => void = () => {},
    inFlightBytes: number = IN_FLIGHT_BYTES,
  ) {
    this.#budget = new ByteBudget(inFlightBytes);
    this.#store = store;
    this.#onPut = onPut;
  }

  /** Room for the bytes of a chunk, at once or later; one {@link write} follows. */
  makeRoom(length: number): Promise<void> | undefined {
    return this.#budget.tryAcquire(length) ? undefined : this.#budget.acquire(length);
  }

  /**
   * Stores a chunk for whose bytes there is room.
   *
   * @param release called when the bytes are not needed any more
   * @returns when it is durable; a failure may be looked at later
   */
  write(digest: B3Digest, bytes: Uint8Array, release: () => void): Promise<void> {
    this.#onPut(bytes.length);
    const writing = this.#inFlight.get(digest.key);
    if (writing !== undefined) {
      this.#budget.release(bytes.length);
      release();
      return writing;
    }
    const durable = this.#write(digest, bytes, () => {
      this.#budget.release(bytes.length);
      release();
    });
    // Whoever waits for it sees the failure; nobody may be waiting yet.
    durable.catch(() => {});
    this.#inFlight.set(digest.key, durable);
    return durable;
  }

  async #write(digest: B3Digest, bytes: Uint8Array, release: () => void): Promise<void> {
    const releaseOnce = once(release);
    try {
      if (!(await this.#store.has(digest))) await this.#store.write(digest, bytes, releaseOnce);
    } finally {
      this.#inFlight.delete(digest.key);
      releaseOnce();
    }
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
