import type { Directory } from "../directory/directory.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { RecordStore } from "./record-store.ts";
import { removeUpload } from "./remove-expired.ts";
import { STAGED_DIRECTORIES, type StagedDirectory } from "./tables.ts";
import { UploadLease } from "./upload-lease.ts";

/** Memory of directories that are held before they become records, in bytes. */
const HELD_BYTES = 2 << 20;

/** What each takes beside its bytes. */
const OBJECT_BYTES = 500;

/**
 * Holds the directories of one upload until all of them are known to be valid: a few in
 * memory, many as records, under keys that no reader looks at.
 */
export class DirectoryStaging {
  readonly #records: RecordStore;
  readonly #lease: UploadLease;
  #held: StagedDirectory[] = [];
  #heldBytes = 0;
  #spilled = 0;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#lease = new UploadLease(records);
  }

  async add(directory: Directory): Promise<void> {
    const encoded = directory.encode();
    this.#held.push({ digest: directory.digest(), encoded });
    this.#heldBytes += encoded.length + OBJECT_BYTES;
    if (this.#heldBytes >= HELD_BYTES) await this.#spill();
    else await this.#lease.keep();
  }

  /** Everything that was added, in the same order. */
  async *directories(): AsyncGenerator<StagedDirectory, void, undefined> {
    for (let index = 0; index < this.#spilled; index++) {
      const staged = await STAGED_DIRECTORIES.get(this.#records, { id: this.#lease.id, number: index });
      if (staged === undefined) {
        throw new CastoreError("UNAVAILABLE", "the upload has stood still for too long, and was given up");
      }
      yield staged;
    }
    yield* this.#held;
  }

  /** Removes what became records. */
  async clear(): Promise<void> {
    if (this.#lease.isHeld) await removeUpload(this.#records, this.#lease.id);
  }

  async #spill(): Promise<void> {
    const changes = this.#held.map((staged) =>
      STAGED_DIRECTORIES.put({ id: this.#lease.id, number: this.#spilled++ }, staged),
    );
    this.#held = [];
    this.#heldBytes = 0;
    await this.#lease.write(changes);
  }
}
