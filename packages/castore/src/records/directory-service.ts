import { equalBytes } from "@tvix/byte-stream";
import { claimBlob } from "../collect/claim-contents.ts";
import { isSame, isStill, readCollection } from "../collect/collection-state.ts";
import { claim } from "../collect/fence.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { ClosureValidator } from "../directory/closure-validator.ts";
import { type Directory, filesOf } from "../directory/directory.ts";
import { DEFAULT_MAX_DIRECTORY_BYTES } from "../directory/directory-limit.ts";
import type { DirectoryService, DirectorySource } from "../directory/directory-service.ts";
import { decodeDirectory } from "../directory/parse.ts";
import { traverse } from "../directory/traverse.ts";
import { type MemoryLedger, UNLIMITED_MEMORY } from "../memory-use/memory-ledger.ts";
import type { OperationOptions } from "../options.ts";
import { DirectoryStaging } from "./directory-staging.ts";
import type { RecordChange, RecordStore } from "./record-store.ts";
import { DIRECTORIES, type StagedDirectory } from "./tables.ts";

/** What is remembered of each directory of an upload until its end, and how much is asked for at a time, in bytes. */
const CLOSURE_DIRECTORY_BYTES = 512;
const CLOSURE_STEP_BYTES = 256 << 10;

/** What an upload holds until it becomes records. */
const STAGING_BYTES = 2 << 20;

/** Bytes of directories that one batch writes. */
const BATCH_BYTES = 1 << 20;

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
        left -= CLOSURE_DIRECTORY_BYTES;
        if (left < CLOSURE_DIRECTORY_BYTES) {
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
      if (bytes < BATCH_BYTES) continue;
      await this.#write(batch);
      batch = [];
      bytes = 0;
    }
    await this.#write(batch);
  }

  /** While a collection sweeps, the files that directories name are claimed with them: else they would go. */
  async #write(batch: readonly StagedDirectory[]): Promise<void> {
    for (;;) {
      const state = await readCollection(this.#records);
      const changes: RecordChange[] = [];
      for (const { digest, encoded } of batch) {
        const stored = await claim(this.#records, { kind: "directory", digest });
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
