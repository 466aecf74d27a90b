import { type BigIntStats, type Dirent, lstatSync, readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { CastoreError, letOthersRun } from "@tvix/castore";
import { checkDepth, checkDirectoryBytes } from "@tvix/castore/backend";
import { type HostPath, joinPath, onPath, onPathSync, showPath } from "./host-path.ts";
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

const LISTING = { withFileTypes: true, encoding: "buffer" } as const;

/** A directory that takes so many bytes has many entries: to list them takes a while. */
const LARGE_DIRECTORY_BYTES = 64n << 10n;

/**
 * Others have their turn after so many steps, for what the system has in memory comes without any wait, and after so many
 * milliseconds, for it may come from far away.
 */
const STEPS_IN_A_ROW = 64;
const TURN_MS = 10;

/** A directory whose entries are being visited. */
interface Visit {
  readonly entry: WalkedEntry;
  /** What it was when its entries were listed. */
  readonly found: BigIntStats;
  readonly rest: Iterator<Dirent<Buffer>>;
}

/**
 * An entry and everything below it, children before their directory. Symbolic links are not
 * followed, not even at the root. Directories are looked at on the spot, as short files are read: three
 * calls of the system that mostly take a few microseconds, where the thread pool takes a hundred.
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
  const stats = statsOf(root);
  const rootEntry = entryOf(stats, root, new Uint8Array(0), 0);
  if (rootEntry.type !== "directory") {
    yield rootEntry;
    return;
  }
  const visits: Visit[] = [await visit(rootEntry, maxDirectoryBytes)];
  let steps = 0;
  let turnStarted = performance.now();
  for (let current = visits.at(-1); current !== undefined; current = visits.at(-1)) {
    if (++steps % STEPS_IN_A_ROW === 0 || performance.now() - turnStarted > TURN_MS) {
      await letOthersRun();
      turnStarted = performance.now();
    }
    const next = current.rest.next();
    if (next.done === true) {
      checkUnchanged(current);
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
  const found = statsOf(path);
  // A link has taken its place since it was listed.
  if (!found.isDirectory()) throw changed(path);
  const entries =
    found.size < LARGE_DIRECTORY_BYTES
      ? onPathSync("list", path, () => readdirSync(path, LISTING))
      : await onPath("list", path, () => readdir(path, LISTING));
  const bytes = entries.reduce((sum, { name }) => sum + name.length + ENTRY_BYTES, 0);
  checkDirectoryBytes(bytes, maxDirectoryBytes, showPath(path));
  return { entry, found, rest: entries.values() };
}

/** Paths are looked up anew each time: while they were, a directory may have been put elsewhere. */
function checkUnchanged({ entry: { path }, found }: Visit): void {
  if (!isSameFile(found, statsOf(path))) throw changed(path);
}

function statsOf(path: HostPath): BigIntStats {
  return onPathSync("read", path, () => lstatSync(path, { bigint: true }));
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
