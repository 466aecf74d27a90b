import type { B3Digest } from "../digest/b3-digest.ts";
import { ClosureValidator } from "../directory/closure-validator.ts";
import type { Directory } from "../directory/directory.ts";
import { DEFAULT_MAX_DIRECTORY_BYTES } from "../directory/directory-limit.ts";
import type { DirectoryService, DirectorySource } from "../directory/directory-service.ts";
import { traverse } from "../directory/traverse.ts";
import type { OperationOptions } from "../options.ts";

/** Directories in memory: for tests, browsers and short-lived trees. */
export class MemoryDirectoryService implements DirectoryService {
  readonly maxDirectoryBytes: number = DEFAULT_MAX_DIRECTORY_BYTES;
  readonly #directories: Map<string, Directory> = new Map();

  async get(digest: B3Digest, { signal }: OperationOptions = {}): Promise<Directory | undefined> {
    signal?.throwIfAborted();
    return this.#directories.get(digest.key);
  }

  getRecursive(digest: B3Digest, options: OperationOptions = {}): AsyncIterable<Directory> {
    return traverse((child) => this.get(child), digest, options);
  }

  async put(directory: Directory, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.putMany([directory], options);
  }

  async putMany(directories: DirectorySource, { signal }: OperationOptions = {}): Promise<B3Digest> {
    const validator = new ClosureValidator();
    const accepted: Directory[] = [];
    for await (const directory of directories) {
      signal?.throwIfAborted();
      if (validator.add(directory)) accepted.push(directory);
    }
    signal?.throwIfAborted();
    const root = validator.finish();
    for (const directory of accepted) this.#directories.set(directory.digest().key, directory);
    return root;
  }
}
