import { CastoreError } from "../errors/castore-error.ts";
import { holds } from "./condition.ts";
import type { RecordChange, RecordCondition, RecordStore } from "./record-store.ts";
import { UPLOAD_ID_BYTES, UPLOADS } from "./tables.ts";

/** Time for which an upload counts as under way without a sign of life, in milliseconds. */
const LEASE_MS = 3_600_000;

/** When a lease is renewed: none of the steps of an upload takes as long as the rest of it. */
const RENEWED_MS = LEASE_MS / 4;

/**
 * Says of what an upload has written so far that it is still under way: nobody else can tell, and what
 * nobody is going to complete is to be removed some time. Every write of the upload is made on condition
 * that it was not given up for lost meanwhile.
 */
export class UploadLease {
  /** Under which the upload keeps what it has written. */
  readonly id: Uint8Array = crypto.getRandomValues(new Uint8Array(UPLOAD_ID_BYTES));
  readonly #records: RecordStore;
  /** Until when it holds, as it is stored; undefined: nothing has been written. */
  #expires: number | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** Whether anything has been written under it. */
  get isHeld(): boolean {
    return this.#expires !== undefined;
  }

  /**
   * Writes something of the upload that is no use before its end.
   *
   * @throws CastoreError UNAVAILABLE when it was given up for lost
   */
  async write(changes: readonly RecordChange[]): Promise<void> {
    const expires = Date.now() + LEASE_MS;
    await this.#write([UPLOADS.put(this.id, expires), ...changes]);
    this.#expires = expires;
  }

  /** Shows that it goes on, where that has not been shown for a while. @throws as {@link write} */
  async keep(): Promise<void> {
    if (this.#expires !== undefined && Date.now() > this.#expires - LEASE_MS + RENEWED_MS)
      await this.write([]);
  }

  /**
   * Ends the upload, with what makes it count.
   *
   * @param conditions what has to hold besides
   * @returns false when one of them does not, and nothing was changed
   * @throws as {@link write}
   */
  async end(changes: readonly RecordChange[], conditions: readonly RecordCondition[] = []): Promise<boolean> {
    const removal = this.isHeld ? [UPLOADS.remove(this.id)] : [];
    if (!(await this.#records.write([...changes, ...removal], [...this.#isHeld(), ...conditions]))) {
      for (const held of this.#isHeld()) {
        if (!holds(held, await this.#records.get(held.key))) throw givenUp();
      }
      return false;
    }
    this.#expires = undefined;
    return true;
  }

  async #write(changes: readonly RecordChange[]): Promise<void> {
    if (!(await this.#records.write(changes, this.#isHeld()))) throw givenUp();
  }

  #isHeld(): readonly RecordCondition[] {
    return this.#expires === undefined ? [] : [isLeased(this.id, this.#expires)];
  }
}

function givenUp(): CastoreError {
  return new CastoreError("UNAVAILABLE", "the upload has stood still for too long, and was given up");
}

/** That the lease of an upload is as it was seen. */
export function isLeased(id: Uint8Array, expires: number): RecordCondition {
  const { key, value } = UPLOADS.put(id, expires);
  return { key, value };
}
