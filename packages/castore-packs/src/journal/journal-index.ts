import type { RecordChange } from "@tvix/castore";
import type { ClassicLevel } from "classic-level";

/** What a journal is kept for: the records, written and read without anything in between. */
export interface JournalIndex {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  write(changes: readonly RecordChange[]): Promise<void>;
  /** The same, and returns when they are on the disk. */
  writeDurably(changes: readonly RecordChange[]): Promise<void>;
  /** Returns when all that was written before is on the disk. */
  flush(): Promise<void>;
  entries(): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/** In front of all keys, and no key itself. */
const BEFORE_ALL = Uint8Array.of(0);

const VIEWS = { keyEncoding: "view", valueEncoding: "view" } as const;

/** Records in LevelDB. */
export class LevelIndex implements JournalIndex {
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>;

  constructor(level: ClassicLevel<Uint8Array, Uint8Array>) {
    this.#level = level;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#level.get(key, VIEWS);
  }

  async write(changes: readonly RecordChange[]): Promise<void> {
    await this.#level.batch([...changes], VIEWS);
  }

  async writeDurably(changes: readonly RecordChange[]): Promise<void> {
    await this.#level.batch([...changes], { ...VIEWS, sync: true });
  }

  /** LevelDB compacts a range by writing all that is in memory to a table first, and in this range nothing is. */
  async flush(): Promise<void> {
    await this.#level.compactRange(BEFORE_ALL, BEFORE_ALL, { keyEncoding: "view" });
  }

  entries(): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#level.iterator(VIEWS);
  }
}
