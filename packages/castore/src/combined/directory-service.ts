import { firstFound } from "../concurrency/first-found.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { Directory } from "../directory/directory.ts";
import type { DirectoryService, DirectorySource } from "../directory/directory-service.ts";
import { traverse } from "../directory/traverse.ts";
import { isFailureOfService } from "../errors/failure-of-service.ts";
import type { OperationOptions } from "../options.ts";

/**
 * A near service, and a far one that is asked for what the near one has not got. Nothing is copied, and
 * puts go to the near one. A tree may lie in both: its directories are looked up one by one.
 */
export class CombinedDirectoryService implements DirectoryService {
  readonly #near: DirectoryService;
  readonly #far: DirectoryService;

  constructor(near: DirectoryService, far: DirectoryService) {
    this.#near = near;
    this.#far = far;
  }

  get maxDirectoryBytes(): number | undefined {
    return this.#near.maxDirectoryBytes;
  }

  async get(digest: B3Digest, options: OperationOptions = {}): Promise<Directory | undefined> {
    return await firstFound(
      [this.#near, this.#far].map((service) => () => service.get(digest, options)),
      isFailureOfService,
    );
  }

  getRecursive(digest: B3Digest, options: OperationOptions = {}): AsyncIterable<Directory> {
    return traverse((child) => this.get(child, options), digest, options);
  }

  async put(directory: Directory, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.#near.put(directory, options);
  }

  async putMany(directories: DirectorySource, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.#near.putMany(directories, options);
  }
}
