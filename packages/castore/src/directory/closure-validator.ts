import { escapeBytes } from "@tvix/byte-stream";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { Directory } from "./directory.ts";
import { checkDirectoryBytes, DEFAULT_MAX_DIRECTORY_BYTES } from "./directory-limit.ts";
import { SeenDirectories } from "./seen-directories.ts";
import { checkDepth } from "./tree-depth.ts";

/** Most distinct directories in one upload; what each of them takes in memory until its end is SEEN_DIRECTORY_BYTES. */
export const MAX_CLOSURE_DIRECTORIES = 2_000_000;

/**
 * Checks that directories arrive children first and make up one tree, which is not too deep.
 *
 * What a child's own size fields say is taken as written; a parent may count the child's
 * entries once or twice.
 */
export class ClosureValidator {
  readonly #maxDirectoryBytes: number;
  readonly #seen = new SeenDirectories();
  #added = 0;
  #roots = 0;

  /** @param maxDirectoryBytes longest encoding of a directory, in bytes */
  constructor(maxDirectoryBytes: number = DEFAULT_MAX_DIRECTORY_BYTES) {
    this.#maxDirectoryBytes = maxDirectoryBytes;
  }

  /**
   * Takes the next directory.
   *
   * @returns false when it has been seen before
   * @throws CastoreError INVALID_CLOSURE when a child is unknown or has another size, TOO_DEEP,
   *   TOO_LARGE when there are more than MAX_CLOSURE_DIRECTORIES, or it is too long
   */
  add(directory: Directory): boolean {
    const position = this.#added++;
    const digest = directory.digest();
    if (this.#seen.find(digest) !== undefined) return false;
    if (this.#seen.length >= MAX_CLOSURE_DIRECTORIES) {
      throw new CastoreError("TOO_LARGE", `more than ${MAX_CLOSURE_DIRECTORIES} directories in one upload`);
    }
    checkDirectoryBytes(directory.encode().length, this.#maxDirectoryBytes, `directory #${position}`);
    let levels = directory.entries.length === 0 ? 1 : 2;
    for (const { name, node } of directory.children()) {
      const where = () => `directory #${position}: ${escapeBytes(name.bytes)}`;
      const number = this.#seen.find(node.digest);
      if (number === undefined) {
        throw invalid(`${where()}: unknown directory was referenced: ${node.digest} was not sent before it`);
      }
      const child = this.#seen.at(number);
      if (node.size !== child.size && node.size !== child.size + BigInt(child.entries)) {
        throw invalid(`${where()} has wrong size, specified ${node.size}, recorded ${child.size}`);
      }
      levels = Math.max(levels, 1 + child.levels);
      if (this.#seen.refer(number)) this.#roots--;
    }
    checkDepth(levels, `directory #${position}: what is below it`);
    this.#seen.add(digest, {
      size: directory.size("documented"),
      entries: directory.entries.length,
      levels,
    });
    this.#roots++;
    return true;
  }

  /**
   * Digest of the root.
   *
   * @throws CastoreError INVALID_CLOSURE when nothing was added, or there are several roots
   */
  finish(): B3Digest {
    if (this.#added === 0) throw invalid("got no directories");
    if (this.#roots !== 1) throw invalid(`graph has no single root, but ${this.#roots} of them`);
    const root = this.#seen.firstUnreferenced();
    if (root === undefined) throw invalid("graph has no single root");
    return root;
  }
}

function invalid(message: string): CastoreError {
  return new CastoreError("INVALID_CLOSURE", message);
}
