import { equalBytes } from "@tvix/byte-stream";
import { claimBlob } from "../collect/claim-contents.ts";
import { isSame, isStill, readCollection } from "../collect/collection-state.ts";
import { claimMany } from "../collect/fence.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { ClosureValidator } from "../directory/closure-validator.ts";
import { type Directory, filesOf } from "../directory/directory.ts";
import { DEFAULT_MAX_DIRECTORY_BYTES } from "../directory/directory-limit.ts";
import type { DirectoryService, DirectorySource } from "../directory/directory-service.ts";
import { decodeDirectory } from "../directory/parse.ts";
import { SEEN_DIRECTORY_BYTES } from "../directory/seen-directories.ts";
import { traverse } from "../directory/traverse.ts";
import { type MemoryLedger, UNLIMITED_MEMORY } from "../memory-use/memory-ledger.ts";
import type { OperationOptions } from "../options.ts";
import { DirectoryStaging } from "./directory-staging.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";
import type { StagedDirectory } from "./staged-directories.ts";
import { DIRECTORIES } from "./tables.ts";

/** How much is asked for at a time for what is remembered of the directories of an upload, in bytes. */
const CLOSURE_STEP_BYTES = 256 << 10;

/** What an upload holds until it becomes records. */
const STAGING_BYTES = 2 << 20;

/** What one batch writes: bytes of directories, and how many, since the shortest take as much time as others. */
const BATCH_BYTES = 1 << 20;
const BATCH_DIRECTORIES = 500;

/** Directories as records, each in its canonical encoding. */
export class RecordDirectoryService implements DirectoryService {
  readonly maxDirectoryBytes: number;
  readonly #records: RecordStore;
  readonly #memory: MemoryLedger;

  constructor(
    records: RecordStore,
    options: { readonly maxDirectoryBytes?: number; readonly memory?: MemoryLedger } = {},
  ) {
    const { maxDirectoryBytes = DEFAULT_MAX_DIRECTORY_BYTES, memory = UNLIMITED_MEMORY } = options;
    this.#records = records;
    this.maxDirectoryBytes = maxDirectoryBytes;
    this.#memory = memory;
  }

  async get(digest: B3Digest, { signal }: OperationOptions = {}): Promise<Directory | undefined> {
    signal?.throwIfAborted();
    const encoded = await DIRECTORIES.get(this.#records, digest);
    return encoded === undefined ? undefined : decodeDirectory(encoded, digest);
  }

  getRecursive(digest: B3Digest, options: OperationOptions = {}): AsyncIterable<Directory> {
    return traverse((child) => this.get(child), digest, options);
  }

  async put(directory: Directory, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.putMany([directory], options);
  }

  async putMany(directories: DirectorySource, options: OperationOptions = {}): Promise<B3Digest> {
    const { signal } = options;
    const held = await this.#memory.hold(
      STAGING_BYTES + CLOSURE_STEP_BYTES,
      "an upload of directories",
      options,
    );
    let left = CLOSURE_STEP_BYTES;
    const validator = new ClosureValidator(this.maxDirectoryBytes);
    const staging = new DirectoryStaging(this.#records);
    try {
      for await (const directory of directories) {
        signal?.throwIfAborted();
        if (!validator.add(directory)) continue;
        left -= SEEN_DIRECTORY_BYTES;
        if (left < SEEN_DIRECTORY_BYTES) {
          await held.grow(CLOSURE_STEP_BYTES, options);
          left += CLOSURE_STEP_BYTES;
        }
        await staging.add(directory);
      }
      signal?.throwIfAborted();
      const root = validator.finish();
      await this.#store(staging);
      return root;
    } finally {
      held.release();
      await staging.clear();
    }
  }

  /** Writes in order of arrival, so that after a crash nothing refers to what is missing. */
  async #store(staging: DirectoryStaging): Promise<void> {
    let batch: StagedDirectory[] = [];
    let bytes = 0;
    for await (const directory of staging.directories()) {
      batch.push(directory);
      bytes += directory.encoded.length;
      if (bytes < BATCH_BYTES && batch.length < BATCH_DIRECTORIES) continue;
      await this.#write(batch);
      batch = [];
      bytes = 0;
    }
    await this.#write(batch);
  }

  /** While a collection sweeps, the files that directories name are claimed with them: else they would go. */
  async #write(batch: readonly StagedDirectory[]): Promise<void> {
    const contents = batch.map(({ digest }) => ({ kind: "directory" as const, digest }));
    for (;;) {
      const state = await readCollection(this.#records);
      const known = await claimMany(this.#records, contents);
      const changes: RecordChange[] = [];
      for (const [index, { digest, encoded }] of batch.entries()) {
        const stored = known[index];
        const isThere = stored !== undefined && equalBytes(stored, encoded);
        if (!isThere) changes.push(DIRECTORIES.put(digest, encoded));
        if (state.phase !== "sweeping") continue;
        for (const file of filesOf(decodeDirectory(encoded, digest))) await claimBlob(this.#records, file);
      }
      if (changes.length === 0 && isSame(state, await readCollection(this.#records))) return;
      if (changes.length > 0 && (await this.#records.write(changes, [isStill(state)]))) return;
    }
  }
}
