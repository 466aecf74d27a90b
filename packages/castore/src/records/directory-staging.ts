import type { Directory } from "../directory/directory.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { RecordStore } from "./record-store.ts";
import { removeUpload } from "./remove-expired.ts";
import { type StagedDirectory, StagedList, splitStaged } from "./staged-directories.ts";
import { STAGED_DIRECTORIES } from "./tables.ts";
import { UploadLease } from "./upload-lease.ts";

/** From this length on, in bytes, a list is complete: a record of its own. */
const LIST_BYTES = 32 << 10;

/** Memory of what is held before it becomes records, in bytes. */
const HELD_BYTES = 2 << 20;

/**
 * Holds the directories of one upload until all of them are known to be valid: a few in
 * memory, many as records, under keys that no reader looks at.
 */
export class DirectoryStaging {
  readonly #records: RecordStore;
  readonly #lease: UploadLease;
  /** Complete ones. */
  #lists: Uint8Array[] = [];
  #listBytes = 0;
  /** The one behind them. */
  readonly #last: StagedList = new StagedList();
  /** How many there are before them, which are records. */
  #spilled = 0;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#lease = new UploadLease(records);
  }

  async add(directory: Directory): Promise<void> {
    this.#last.add({ digest: directory.digest(), encoded: directory.encode() });
    if (this.#last.length >= LIST_BYTES) this.#complete();
    if (this.#listBytes >= HELD_BYTES) await this.#spill();
    else await this.#lease.keep();
  }

  /** Everything that was added, in the same order. Asked for once, at the end. */
  async *directories(): AsyncGenerator<StagedDirectory, void, undefined> {
    for (let number = 0; number < this.#spilled; number++) {
      const list = await STAGED_DIRECTORIES.get(this.#records, { id: this.#lease.id, number });
      if (list === undefined) {
        throw new CastoreError("UNAVAILABLE", "the upload has stood still for too long, and was given up");
      }
      yield* splitStaged(list);
    }
    for (const list of this.#lists) yield* splitStaged(list);
    yield* splitStaged(this.#last.take());
  }

  /** Removes what became records. */
  async clear(): Promise<void> {
    if (this.#lease.isHeld) await removeUpload(this.#records, this.#lease.id);
  }

  #complete(): void {
    const list = this.#last.take();
    this.#lists.push(list);
    this.#listBytes += list.length;
  }

  async #spill(): Promise<void> {
    const changes = this.#lists.map((list) =>
      STAGED_DIRECTORIES.put({ id: this.#lease.id, number: this.#spilled++ }, list),
    );
    this.#lists = [];
    this.#listBytes = 0;
    await this.#lease.write(changes);
  }
}
