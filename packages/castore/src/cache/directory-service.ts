import { firstFound } from "../concurrency/first-found.ts";
import { SingleFlight } from "../concurrency/single-flight.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { childrenFirst } from "../directory/children-first.ts";
import type { Directory } from "../directory/directory.ts";
import type { DirectoryService, DirectorySource } from "../directory/directory-service.ts";
import { traverse } from "../directory/traverse.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { isFailureOfService } from "../errors/failure-of-service.ts";
import { type MemoryLedger, UNLIMITED_MEMORY } from "../memory-use/memory-ledger.ts";
import type { OperationOptions } from "../options.ts";
import type { CacheOptions } from "./cache-options.ts";
import { NearFailures } from "./near-failures.ts";

/**
 * Most entries of a tree that is fetched as a whole, its files and links included: it is held in memory
 * until the near service has it. Of a larger one the upper directories are fetched one by one, and not
 * kept.
 */
const MAX_KEPT_ENTRIES = 200_000;

/** What each entry takes meanwhile, in bytes. */
const ENTRY_BYTES = 250;

/**
 * A near service in front of a far one. A directory that is not near is fetched with all that is below
 * it, in one call, and kept near: who asks for a directory mostly asks for those below it next.
 *
 * Puts go to the far one unless told otherwise. Where the near one fails, the far one is asked, and
 * nobody notices but {@link CacheOptions.onNearFailure}.
 */
export class CacheDirectoryService implements DirectoryService {
  readonly #near: DirectoryService;
  readonly #far: DirectoryService;
  readonly #target: DirectoryService;
  readonly #nearFailures: NearFailures;
  readonly #memory: MemoryLedger;
  readonly #fetching = new SingleFlight<Directory | undefined>();

  constructor(near: DirectoryService, far: DirectoryService, options: CacheOptions = {}) {
    this.#near = near;
    this.#far = far;
    this.#target = options.writes === "near" ? near : far;
    this.#nearFailures = new NearFailures(options.onNearFailure);
    this.#memory = options.memory ?? UNLIMITED_MEMORY;
  }

  get maxDirectoryBytes(): number | undefined {
    return this.#target.maxDirectoryBytes;
  }

  async get(digest: B3Digest, options: OperationOptions = {}): Promise<Directory | undefined> {
    return await firstFound(
      [
        () => this.#near.get(digest, options),
        () => this.#fetching.run(digest.key, (signal) => this.#fetch(digest, signal), options.signal),
      ],
      isFailureOfService,
    );
  }

  getRecursive(digest: B3Digest, options: OperationOptions = {}): AsyncIterable<Directory> {
    // The first look-up brings all of it near.
    return traverse((child) => this.get(child, options), digest, options);
  }

  async put(directory: Directory, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.#target.put(directory, options);
  }

  async putMany(directories: DirectorySource, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.#target.putMany(directories, options);
  }

  /** Fetches a directory, and keeps it with all that is below it where there is memory for that. */
  async #fetch(digest: B3Digest, signal: AbortSignal): Promise<Directory | undefined> {
    const root = await this.#far.get(digest, { signal });
    if (root === undefined || !this.#nearFailures.mayKeep) return root;
    const entries = 1 + Number(root.size());
    if (entries > MAX_KEPT_ENTRIES) return root;
    const held = this.#memory.tryHold(entries * ENTRY_BYTES, "a tree that is fetched");
    if (held === undefined) return root;
    try {
      const tree = hasChildren(root) ? await this.#fetchTree(root, signal) : [root];
      if (tree !== undefined) await this.#keep(tree, signal);
    } finally {
      held.release();
    }
    return root;
  }

  /**
   * All of a tree, children first; undefined when the far service has not got all of it, or it has more
   * than its root says.
   */
  async #fetchTree(root: Directory, signal: AbortSignal): Promise<Iterable<Directory> | undefined> {
    const found = new Map<string, Directory>();
    let entries = 0n;
    try {
      for await (const directory of this.#far.getRecursive(root.digest(), { signal })) {
        found.set(directory.digest().key, directory);
        entries += BigInt(directory.entries.length);
        if (entries > root.size()) return undefined;
      }
    } catch (error) {
      // What is there of it can be had nevertheless.
      if (CastoreError.is(error) && error.code === "INCOMPLETE") return undefined;
      throw error;
    }
    // Between the two looks at it, all of it may have gone.
    return found.size === 0 ? undefined : childrenFirst(root.digest(), found);
  }

  async #keep(tree: Iterable<Directory>, signal: AbortSignal): Promise<void> {
    try {
      await this.#near.putMany(tree, { signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#nearFailures.notKept(error);
    }
  }
}

function hasChildren(directory: Directory): boolean {
  return directory.children().next().done !== true;
}
