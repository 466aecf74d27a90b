import type { BigIntStats, Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { CastoreError } from "@tvix/castore";
import { checkDepth, checkDirectoryBytes } from "@tvix/castore/backend";
import { type HostPath, joinPath, onPath, showPath } from "./host-path.ts";
import { changed } from "./read-file.ts";
import { isSameFile } from "./same-file.ts";

/** An entry of the file system, with what is needed to read it. */
export interface WalkedEntry {
  readonly type: "directory" | "file" | "symlink";
  readonly path: HostPath;
  /** Last component of the path; empty for the root. */
  readonly name: Uint8Array;
  /** 0 for the root. */
  readonly depth: number;
}

type Type = WalkedEntry["type"];

/** What tells of which type an entry is. */
type Kind = Pick<BigIntStats, keyof Dirent & keyof BigIntStats>;

/** What an entry takes in the encoding of its directory at least, besides its name: a link does. */
const ENTRY_BYTES = 7;

/** A directory whose entries are being visited. */
interface Visit {
  readonly entry: WalkedEntry;
  /** What it was when its entries were listed. */
  readonly found: BigIntStats;
  readonly rest: Iterator<Dirent<Buffer>>;
}

/**
 * An entry and everything below it, children before their directory. Symbolic links are not
 * followed, not even at the root.
 *
 * @throws CastoreError UNSUPPORTED_FILE_TYPE for sockets, pipes and devices, TOO_DEEP,
 *   CHANGED_WHILE_READING for a directory that is another one, or has other entries, when all that
 *   was found in it has been visited; TOO_LARGE for a directory whose entries cannot be encoded in
 *   `maxDirectoryBytes`
 */
export async function* walk(
  root: HostPath,
  maxDirectoryBytes: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<WalkedEntry, void, undefined> {
  const stats = await onPath("read", root, () => lstat(root, { bigint: true }));
  const rootEntry = entryOf(stats, root, new Uint8Array(0), 0);
  if (rootEntry.type !== "directory") {
    yield rootEntry;
    return;
  }
  const visits: Visit[] = [await visit(rootEntry, maxDirectoryBytes)];
  for (let current = visits.at(-1); current !== undefined; current = visits.at(-1)) {
    const next = current.rest.next();
    if (next.done === true) {
      await checkUnchanged(current);
      yield current.entry;
      visits.pop();
      continue;
    }
    const { name } = next.value;
    const entry = entryOf(next.value, joinPath(current.entry.path, name), name, visits.length);
    checkDepth(entry.depth + 1, showPath(entry.path));
    if (entry.type === "directory") visits.push(await visit(entry, maxDirectoryBytes));
    else yield entry;
  }
}

async function visit(entry: WalkedEntry, maxDirectoryBytes: number): Promise<Visit> {
  const { path } = entry;
  const found = await onPath("read", path, () => lstat(path, { bigint: true }));
  // A link has taken its place since it was listed.
  if (!found.isDirectory()) throw changed(path);
  const entries = await onPath("list", path, () =>
    readdir(path, { withFileTypes: true, encoding: "buffer" }),
  );
  const bytes = entries.reduce((sum, { name }) => sum + name.length + ENTRY_BYTES, 0);
  checkDirectoryBytes(bytes, maxDirectoryBytes, showPath(path));
  return { entry, found, rest: entries.values() };
}

/** Paths are looked up anew each time: while they were, a directory may have been put elsewhere. */
async function checkUnchanged({ entry: { path }, found }: Visit): Promise<void> {
  const now = await onPath("read", path, () => lstat(path, { bigint: true }));
  if (!isSameFile(found, now)) throw changed(path);
}

function entryOf(kind: Kind, path: HostPath, name: Uint8Array, depth: number) {
  return { type: typeOf(kind, path), path, name, depth };
}

function typeOf(kind: Kind, path: HostPath): Type {
  if (kind.isFile()) return "file";
  if (kind.isDirectory()) return "directory";
  if (kind.isSymbolicLink()) return "symlink";
  const found = kind.isSocket() ? "socket" : kind.isFIFO() ? "named pipe" : "device";
  const shown = showPath(path);
  throw new CastoreError("UNSUPPORTED_FILE_TYPE", `unsupported file type at ${shown}: ${found}`, {
    subject: shown,
  });
}
