import type { B3Digest } from "../digest/b3-digest.ts";
import type { OperationOptions } from "../options.ts";
import type { Directory } from "./directory.ts";

/** Directories in the order in which a service takes or gives them. */
export type DirectorySource = AsyncIterable<Directory> | Iterable<Directory>;

/**
 * Directories named by the BLAKE3 digest of their encoding.
 *
 * Directories are immutable, so calls may overlap freely. Every error is a CastoreError, or
 * the reason of an aborted signal.
 */
export interface DirectoryService {
  /**
   * Longest encoding of a directory that is taken, in bytes; absent where that is not known. Whoever
   * uploads a tree learns here of a directory that will not be taken before its files are sent.
   */
  readonly maxDirectoryBytes?: number | undefined;

  /** One directory, undefined when it is not there. */
  get(digest: B3Digest, options?: OperationOptions): Promise<Directory | undefined>;

  /**
   * A directory and everything below it: the root first, each directory after some parent
   * of it, none twice. Nothing when the root is not there.
   *
   * @throws CastoreError INCOMPLETE when a directory below is not there
   */
  getRecursive(digest: B3Digest, options?: OperationOptions): AsyncIterable<Directory>;

  /**
   * Stores a directory without child directories: `putMany` of it alone.
   *
   * @throws CastoreError INVALID_CLOSURE when it has child directories
   */
  put(directory: Directory, options?: OperationOptions): Promise<B3Digest>;

  /**
   * Stores a closed tree and returns the digest of its root. Children come before their
   * parents, and everything comes in this call, whether it is stored already or not;
   * repetitions are fine. The size a child is declared with may follow either convention.
   *
   * The whole tree is validated before any of it is stored; on return all of it is.
   *
   * @throws CastoreError INVALID_CLOSURE when a child was not sent before its parent, has
   *   another size than declared, there is no directory at all, or more than one root; TOO_DEEP;
   *   TOO_LARGE for a directory of more than {@link maxDirectoryBytes}
   */
  putMany(directories: DirectorySource, options?: OperationOptions): Promise<B3Digest>;
}
