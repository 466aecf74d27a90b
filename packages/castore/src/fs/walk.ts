import type { Dirent, Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { checkDepth } from "../directory/tree-depth.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { type HostPath, joinPath, onPath, showPath } from "./host-path.ts";

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

/** A directory whose entries are being visited. */
interface Visit {
  readonly entry: WalkedEntry;
  readonly rest: Iterator<Dirent<Buffer>>;
}

/**
 * An entry and everything below it, children before their directory. Symbolic links are not
 * followed, not even at the root.
 *
 * @throws CastoreError UNSUPPORTED_FILE_TYPE for sockets, pipes and devices, TOO_DEEP
 */
export async function* walk(root: HostPath): AsyncGenerator<WalkedEntry, void, undefined> {
  const stats = await onPath("read", root, () => lstat(root));
  const rootEntry = entryOf(stats, root, new Uint8Array(0), 0);
  if (rootEntry.type !== "directory") {
    yield rootEntry;
    return;
  }
  const visits: Visit[] = [await visit(rootEntry)];
  for (let current = visits.at(-1); current !== undefined; current = visits.at(-1)) {
    const next = current.rest.next();
    if (next.done === true) {
      yield current.entry;
      visits.pop();
      continue;
    }
    const { name } = next.value;
    const entry = entryOf(next.value, joinPath(current.entry.path, name), name, visits.length);
    checkDepth(entry.depth + 1, showPath(entry.path));
    if (entry.type === "directory") visits.push(await visit(entry));
    else yield entry;
  }
}

async function visit(entry: WalkedEntry): Promise<Visit> {
  const { path } = entry;
  const entries = await onPath("list", path, () =>
    readdir(path, { withFileTypes: true, encoding: "buffer" }),
  );
  return { entry, rest: entries.values() };
}

function entryOf(
  kind: Pick<Stats, keyof Dirent & keyof Stats>,
  path: HostPath,
  name: Uint8Array,
  depth: number,
) {
  return { type: typeOf(kind, path), path, name, depth };
}

function typeOf(kind: Pick<Stats, keyof Dirent & keyof Stats>, path: HostPath): Type {
  if (kind.isFile()) return "file";
  if (kind.isDirectory()) return "directory";
  if (kind.isSymbolicLink()) return "symlink";
  const found = kind.isSocket() ? "socket" : kind.isFIFO() ? "named pipe" : "device";
  const shown = showPath(path);
  throw new CastoreError("UNSUPPORTED_FILE_TYPE", `unsupported file type at ${shown}: ${found}`, {
    subject: shown,
  });
}
