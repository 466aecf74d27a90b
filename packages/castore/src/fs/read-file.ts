import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";
import { type HostPath, onPath, showPath } from "./host-path.ts";

/** Bytes read at a time from a long file. */
const PIECE_BYTES = 512 << 10;

/** A link that takes the place of a file is not followed, nor does a pipe make us wait. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The contents of a file: whole where it is short, else as a stream. */
export interface OpenedFile {
  readonly contents: Uint8Array | ByteStream;
  /** Whether the owner may execute it. */
  readonly executable: boolean;
}

/**
 * Opens a file, lets `use` read it to the end, and closes it.
 *
 * @throws CastoreError CHANGED_WHILE_READING when it was written to meanwhile, or is no
 *   regular file any more
 */
export async function withFile<T>(path: HostPath, use: (file: OpenedFile) => Promise<T>): Promise<T> {
  const handle = await onPath("open", path, () => open(path, FLAGS));
  try {
    const before = await handle.stat();
    if (!before.isFile()) throw changed(path);
    const executable = (before.mode & constants.S_IXUSR) !== 0;
    const contents = before.size <= PIECE_BYTES ? await readWhole(handle, path, before.size) : readPieces(handle, path);
    const result = await use({ contents, executable });
    const after = await handle.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw changed(path);
    return result;
  } finally {
    await handle.close();
  }
}

async function readWhole(handle: FileHandle, path: HostPath, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let length = 0; length < size; ) {
    const { bytesRead } = await onPath("read", path, () => handle.read(bytes, length, size - length, length));
    if (bytesRead === 0) throw changed(path);
    length += bytesRead;
  }
  return bytes;
}

async function* readPieces(handle: FileHandle, path: HostPath): ByteStream {
  for (;;) {
    const piece = new Uint8Array(PIECE_BYTES);
    const { bytesRead } = await onPath("read", path, () => handle.read(piece, 0, PIECE_BYTES));
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
  }
}

function changed(path: HostPath): CastoreError {
  const shown = showPath(path);
  return new CastoreError("CHANGED_WHILE_READING", `${shown} was changed while it was read`, { subject: shown });
}
