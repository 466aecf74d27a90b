import {
  CastoreError,
  type DirectoryNode,
  type DirectoryService,
  letOthersRun,
  type Node,
  type OperationOptions,
} from "@tvix/castore";
import { textOf } from "./archived-entries.ts";

/** Most entries of an archive: one with more would take a client hours, whatever is in it. */
const MAX_ENTRIES = 2_000_000n;

/** Directories after which others have their turn. */
const DIRECTORIES_IN_A_ROW = 64;

/**
 * Fails as an archive of the tree would, but for contents of files: for whoever has to know before the first byte is
 * sent. Each directory is looked at once, wherever it lies; some hundred bytes are kept of each meanwhile.
 *
 * @throws CastoreError INVALID_NAME for a name or target that is not UTF-8; INCOMPLETE when a directory is missing;
 *   TOO_LARGE for more than two million entries
 */
export async function checkArchivable(
  root: Node,
  { directoryService }: { readonly directoryService: Pick<DirectoryService, "get"> },
  options: OperationOptions = {},
): Promise<void> {
  if (root.type === "symlink") textOf(root.target.bytes, "the target of the link");
  if (root.type !== "directory") return;
  const entries = await new Counting(directoryService, options).entriesIn(root);
  if (entries <= MAX_ENTRIES) return;
  throw new CastoreError(
    "TOO_LARGE",
    `an archive of ${entries} entries is too large: at most ${MAX_ENTRIES}`,
    {
      subject: root.digest.toString(),
    },
  );
}

/** Counts entries of a tree as it is when it is written out, and looks at the name of each once. */
class Counting {
  readonly #directories: Pick<DirectoryService, "get">;
  readonly #options: OperationOptions;
  /** By the digests of directories that have been looked at. */
  readonly #counts: Map<string, bigint> = new Map();

  constructor(directories: Pick<DirectoryService, "get">, options: OperationOptions) {
    this.#directories = directories;
    this.#options = options;
  }

  /** Trees are as deep as stores take them, which is no depth for calls. */
  async entriesIn({ digest }: DirectoryNode): Promise<bigint> {
    const known = this.#counts.get(digest.key);
    if (known !== undefined) return known;
    this.#options.signal?.throwIfAborted();
    if (this.#counts.size % DIRECTORIES_IN_A_ROW === 0) await letOthersRun();
    const directory = await this.#directories.get(digest, this.#options);
    if (directory === undefined) {
      throw new CastoreError("INCOMPLETE", `directory ${digest} is not in the store`, {
        subject: digest.toString(),
      });
    }
    let count = BigInt(directory.entries.length);
    for (const { name, node } of directory.entries) {
      textOf(name.bytes, `a name in the directory ${digest}`);
      if (node.type === "symlink") textOf(node.target.bytes, `the target of the link ${name}`);
      if (node.type === "directory") count += await this.entriesIn(node);
    }
    this.#counts.set(digest.key, count);
    return count;
  }
}
