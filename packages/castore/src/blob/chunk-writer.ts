import type { B3Digest } from "../digest/b3-digest.ts";
import { ByteBudget } from "./byte-budget.ts";
import type { ChunkStore } from "./chunk-store.ts";

/** Bytes of chunks on their way into the store at the same time, over all uploads. */
const IN_FLIGHT_BYTES = 16 << 20;

/** Writes chunks that are not there yet, each once however many uploads bring it. */
export class ChunkWriter {
  readonly #store: ChunkStore;
  readonly #budget: ByteBudget = new ByteBudget(IN_FLIGHT_BYTES);
  readonly #inFlight: Map<string, Promise<void>> = new Map();

  constructor(store: ChunkStore) {
    this.#store = store;
  }

  /**
   * Begins to store a chunk, as soon as there is room for its bytes.
   *
   * @returns once it has begun, with the promise of its being durable
   */
  async begin(digest: B3Digest, bytes: Uint8Array): Promise<{ durable: Promise<void> }> {
    const writing = this.#inFlight.get(digest.key);
    if (writing !== undefined) return { durable: writing };
    if (await this.#store.has(digest)) return { durable: Promise.resolve() };
    await this.#budget.acquire(bytes.length);
    // Another upload may have begun with it, or finished it, in the meantime.
    const meanwhile = this.#inFlight.get(digest.key);
    if (meanwhile !== undefined) {
      this.#budget.release(bytes.length);
      return { durable: meanwhile };
    }
    const durable = this.#write(digest, bytes).finally(() => {
      this.#inFlight.delete(digest.key);
      this.#budget.release(bytes.length);
    });
    // Whoever waits for it sees the failure; nobody may be waiting yet.
    durable.catch(() => {});
    this.#inFlight.set(digest.key, durable);
    return { durable };
  }

  async #write(digest: B3Digest, bytes: Uint8Array): Promise<void> {
    if (await this.#store.has(digest)) return;
    await this.#store.write(digest, bytes);
  }
}
