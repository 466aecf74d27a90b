import type { Directory } from "../directory/directory.ts";
import type { RecordChange, RecordStore } from "../records/record-store.ts";
import { SESSION_BYTES, STAGED_DIRECTORIES, type StagedDirectory } from "../records/tables.ts";

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
  readonly #session: Uint8Array = crypto.getRandomValues(new Uint8Array(SESSION_BYTES));
  #held: StagedDirectory[] = [];
  #heldBytes = 0;
  #spilled = 0;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  async add(directory: Directory): Promise<void> {
    const encoded = directory.encode();
    this.#held.push({ digest: directory.digest(), encoded });
    this.#heldBytes += encoded.length + OBJECT_BYTES;
    if (this.#heldBytes >= HELD_BYTES) await this.#spill();
  }

  /** Everything that was added, in the same order. */
  async *directories(): AsyncGenerator<StagedDirectory, void, undefined> {
    for (let index = 0; index < this.#spilled; index++) {
      const staged = await STAGED_DIRECTORIES.get(this.#records, { id: this.#session, number: index });
      if (staged === undefined) throw new Error("a staged directory has vanished");
      yield staged;
    }
    yield* this.#held;
  }

  /** Removes what became records. */
  async clear(): Promise<void> {
    if (this.#spilled === 0) return;
    await removeStaged(this.#records, this.#session);
  }

  async #spill(): Promise<void> {
    const changes = this.#held.map((staged) =>
      STAGED_DIRECTORIES.put({ id: this.#session, number: this.#spilled++ }, staged),
    );
    this.#held = [];
    this.#heldBytes = 0;
    await this.#records.write(changes);
  }
}

/** Removes what uploads left behind that did not come to an end. Called before the first write. */
export async function removeAllStaged(records: RecordStore): Promise<void> {
  await removeStaged(records);
}

/** Keys removed with one batch. */
const REMOVED_TOGETHER = 10_000;

/** @param session whose; default: all */
async function removeStaged(records: RecordStore, session?: Uint8Array): Promise<void> {
  let removals: RecordChange[] = [];
  for await (const { key } of STAGED_DIRECTORIES.entries(records, session)) {
    removals.push(STAGED_DIRECTORIES.remove(key));
    if (removals.length < REMOVED_TOGETHER) continue;
    await records.write(removals);
    removals = [];
  }
  if (removals.length > 0) await records.write(removals);
}
