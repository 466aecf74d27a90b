import { B3_DIGEST_LENGTH } from "../digest/b3-digest.ts";
import type { Directory } from "../directory/directory.ts";
import { type Database, keyOf, keyPrefix, type LevelOperation } from "./database.ts";

/** Key prefix of directories whose upload has not ended. */
const STAGED = keyPrefix("s1");

const SESSION_BYTES = 12;

/** Memory of directories that are held before they go to the database, in bytes. */
const HELD_BYTES = 2 << 20;

/** What each takes beside its bytes. */
const OBJECT_BYTES = 500;

/** A directory that waits for the end of its upload. */
export interface StagedDirectory {
  readonly digest: Uint8Array;
  readonly encoded: Uint8Array;
}

/**
 * Holds the directories of one upload until all of them are known to be valid: a few in
 * memory, many in the database, under keys that no reader looks at.
 */
export class DirectoryStaging {
  readonly #database: Database;
  readonly #session: Uint8Array = crypto.getRandomValues(new Uint8Array(SESSION_BYTES));
  #held: StagedDirectory[] = [];
  #heldBytes = 0;
  #spilled = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(directory: Directory): Promise<void> {
    const encoded = directory.encode();
    this.#held.push({ digest: directory.digest().bytes, encoded });
    this.#heldBytes += encoded.length + OBJECT_BYTES;
    if (this.#heldBytes >= HELD_BYTES) await this.#spill();
  }

  /** Everything that was added, in the same order. */
  async *directories(): AsyncGenerator<StagedDirectory, void, undefined> {
    for (let index = 0; index < this.#spilled; index++) {
      const value = await this.#database.get(this.#key(index));
      if (value === undefined) throw new Error("a staged directory has vanished");
      yield { digest: value.subarray(0, B3_DIGEST_LENGTH), encoded: value.subarray(B3_DIGEST_LENGTH) };
    }
    yield* this.#held;
  }

  /** Removes what went to the database. */
  async clear(): Promise<void> {
    if (this.#spilled === 0) return;
    await removeStaged(this.#database, keyOf(STAGED, this.#session));
  }

  async #spill(): Promise<void> {
    const operations = this.#held.map(({ digest, encoded }): LevelOperation => {
      const value = new Uint8Array(B3_DIGEST_LENGTH + encoded.length);
      value.set(digest);
      value.set(encoded, B3_DIGEST_LENGTH);
      return { type: "put", key: this.#key(this.#spilled++), value };
    });
    this.#held = [];
    this.#heldBytes = 0;
    await this.#database.write(operations);
  }

  #key(index: number): Uint8Array {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, index);
    return keyOf(STAGED, this.#session, number);
  }
}

/** Removes what uploads left behind that did not come to an end. Called before the first write. */
export async function removeAllStaged(database: Database): Promise<void> {
  await removeStaged(database, keyOf(STAGED));
}

/** Keys removed with one batch. */
const REMOVED_TOGETHER = 10_000;

async function removeStaged(database: Database, prefix: Uint8Array): Promise<void> {
  let removals: LevelOperation[] = [];
  for await (const [key] of database.entries(prefix)) {
    removals.push({ type: "del", key });
    if (removals.length < REMOVED_TOGETHER) continue;
    await database.write(removals);
    removals = [];
  }
  if (removals.length > 0) await database.write(removals);
}
