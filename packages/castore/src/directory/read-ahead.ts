import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { Directory } from "./directory.ts";
import type { DirectoryService } from "./directory-service.ts";
import type { DirectoryNode } from "./node.ts";

/** Directories that are looked up before they are asked for, at most. */
const MAX_DIRECTORIES = 128;

/** Entries that these have together, with everything below them, at most. */
const MAX_ENTRIES = 4096n;

/** A directory that is looked up. */
interface Ahead {
  readonly node: DirectoryNode;
  readonly found: Promise<Directory | undefined>;
  /** How often it is still going to be asked for. */
  claims: number;
}

/**
 * The directories of one tree, for whoever walks it depth first and in order: the next ones are looked
 * up meanwhile, so that a walk does not wait for a peer as often as the tree has directories. Large ones
 * are not, so that little is held. In another order a walk gets the same, but waits.
 */
export class ReadAhead {
  readonly #service: Pick<DirectoryService, "get">;
  readonly #options: OperationOptions;
  /** Children of what was given, the next one last. */
  readonly #next: DirectoryNode[] = [];
  readonly #ahead: Map<string, Ahead> = new Map();
  #entries = 0n;

  constructor(service: Pick<DirectoryService, "get">, options: OperationOptions = {}) {
    this.#service = service;
    this.#options = options;
  }

  /** A directory, undefined when it is not in the service. */
  async get(digest: B3Digest): Promise<Directory | undefined> {
    const directory = await (this.#claim(digest) ?? this.#service.get(digest, this.#options));
    if (directory === undefined) return undefined;
    const children = Array.from(directory.children(), ({ node }) => node);
    for (const child of children.reverse()) this.#next.push(child);
    this.#lookAhead();
    return directory;
  }

  #claim(digest: B3Digest): Promise<Directory | undefined> | undefined {
    const ahead = this.#ahead.get(digest.key);
    if (ahead === undefined) {
      if (this.#next.at(-1)?.digest.equals(digest) === true) this.#next.pop();
      return undefined;
    }
    if (--ahead.claims === 0) {
      this.#ahead.delete(digest.key);
      this.#entries -= ahead.node.size;
    }
    return ahead.found;
  }

  #lookAhead(): void {
    for (let node = this.#next.at(-1); node !== undefined; node = this.#next.at(-1)) {
      const known = this.#ahead.get(node.digest.key);
      if (known !== undefined) known.claims++;
      else if (this.#ahead.size >= MAX_DIRECTORIES || this.#entries + node.size > MAX_ENTRIES) return;
      else this.#lookUp(node);
      this.#next.pop();
    }
  }

  #lookUp(node: DirectoryNode): void {
    const found = this.#service.get(node.digest, this.#options);
    // Whoever asks for it gets the failure; perhaps nobody does.
    found.catch(() => {});
    this.#ahead.set(node.digest.key, { node, found, claims: 1 });
    this.#entries += node.size;
  }
}
