import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { type ByteStream, compareBytes } from "@tvix/byte-stream";
import type { NarEntry } from "../entry.ts";
import { NarError } from "../errors.ts";
import { writeNar } from "../write-nar.ts";
import { type HostPath, joinPath, onPath, showPath } from "./host-path.ts";

/** A link that takes the place of a file is not followed, nor does a pipe make us wait. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Bytes read at a time. */
const PIECE_BYTES = 256 << 10;

/**
 * The NAR of a path, as `nix-store --dump` writes it.
 *
 * @param path bytes where it is not UTF-8
 * @throws NarError UNSUPPORTED_FILE_TYPE for sockets, pipes and devices, CHANGED_WHILE_READING,
 *   FILE_SYSTEM_FAILURE, LIMIT_EXCEEDED; each names the path or name
 */
export function dumpPath(path: string | Uint8Array): ByteStream {
  return writeNar(readTree(path));
}

/**
 * A path with everything below it as entries of a NAR. Links are not followed, not even at
 * the root; a file is executable when its owner may execute it.
 */
export async function* readTree(path: string | Uint8Array): AsyncGenerator<NarEntry, void, undefined> {
  const root = Buffer.from(path);
  /** Directories whose entries are being visited: what is left of each. */
  const open: Iterator<Buffer>[] = [];
  const paths: HostPath[] = [];
  const found: BigIntStats[] = [];
  const enter = async (entry: NarEntry, at: HostPath) => {
    if (entry.type !== "directory") return;
    found.push(await directoryAt(at));
    open.push((await sortedNames(at)).values());
    paths.push(at);
  };
  const first = await readEntry(root, new Uint8Array(0));
  yield first;
  await enter(first, root);
  for (let names = open.at(-1); names !== undefined; names = open.at(-1)) {
    const next = names.next();
    if (next.done === true) {
      open.pop();
      const path = paths.pop() as HostPath;
      // Paths are looked up anew each time: while they were, it may have been put elsewhere.
      if (!isSame(found.pop() as BigIntStats, await statsOf(path))) throw changed(path);
      yield { type: "end" };
      continue;
    }
    const at = joinPath(paths.at(-1) as HostPath, next.value);
    const entry = await readEntry(at, next.value);
    yield entry;
    await enter(entry, at);
  }
}

async function statsOf(path: HostPath): Promise<BigIntStats> {
  return await onPath("read", path, () => lstat(path, { bigint: true }));
}

async function directoryAt(path: HostPath): Promise<BigIntStats> {
  const stats = await statsOf(path);
  // A link has taken its place since it was listed.
  if (!stats.isDirectory()) throw changed(path);
  return stats;
}

async function sortedNames(path: HostPath): Promise<Buffer[]> {
  const names = await onPath("list", path, () => readdir(path, { encoding: "buffer" }));
  return names.sort(compareBytes);
}

async function readEntry(path: HostPath, name: Uint8Array): Promise<NarEntry> {
  const stats = await statsOf(path);
  if (stats.isDirectory()) return { type: "directory", name };
  if (stats.isSymbolicLink()) {
    const target = await onPath("read link", path, () => readlink(path, { encoding: "buffer" }));
    return { type: "symlink", name, target };
  }
  if (!stats.isFile()) throw unsupported(stats, path);
  const executable = (stats.mode & BigInt(constants.S_IXUSR)) !== 0n;
  return { type: "file", name, executable, size: Number(stats.size), contents: readFile(path, stats) };
}

async function* readFile(path: HostPath, expected: BigIntStats): ByteStream {
  const size = Number(expected.size);
  const handle = await onPath("open", path, () => open(path, FLAGS));
  try {
    let length = 0;
    for (;;) {
      const piece = await readPiece(handle, path, size - length);
      length += piece.length;
      // Also one byte more than expected.
      if (piece.length === 0 || length > size) break;
      yield piece;
    }
    const after = await onPath("read", path, () => handle.stat({ bigint: true }));
    if (length !== size || !isSame(expected, after)) throw changed(path);
  } finally {
    await handle.close();
  }
}

async function readPiece(handle: FileHandle, path: HostPath, left: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, left + 1));
  const { bytesRead } = await onPath("read", path, () => handle.read(buffer, 0, buffer.length));
  return buffer.subarray(0, bytesRead);
}

/** Whether it is the one that was found, and was not written to since, also not with its time set back. */
function isSame(before: BigIntStats, after: BigIntStats): boolean {
  return (["dev", "ino", "size", "mtimeNs", "ctimeNs"] as const).every(
    (name) => before[name] === after[name],
  );
}

function changed(path: HostPath): NarError {
  return new NarError("CHANGED_WHILE_READING", `${showPath(path)} was changed while it was read`);
}

function unsupported(stats: BigIntStats, path: HostPath): NarError {
  const found = stats.isSocket() ? "socket" : stats.isFIFO() ? "named pipe" : "device";
  return new NarError("UNSUPPORTED_FILE_TYPE", `unsupported file type at ${showPath(path)}: ${found}`);
}
