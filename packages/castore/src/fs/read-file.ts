import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";
import { BufferPool } from "../memory-use/buffer-pool.ts";
import { ByteBudget } from "../memory-use/byte-budget.ts";
import { type HostPath, onPath, showPath } from "./host-path.ts";

/**
 * Longest file that is read on the spot: four calls of the system that mostly take a few
 * microseconds, where the thread pool takes a hundred.
 */
const SHORT_FILE_BYTES = 64 << 10;

/** Short files whose contents are being stored: this many buffers are kept. */
const SHORT_BUFFERS = 400;

/** Bytes read at a time from a long file. */
const PIECE_BYTES = 512 << 10;

/** Long files that are read at the same time. */
const LONG_FILES = 4;

/** A link that takes the place of a file is not followed, nor does a pipe make us wait. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The contents of a file: whole where it is short, else as a stream. */
export interface OpenedFile {
  /** Memory that is used again: a piece is valid until the next is asked for. */
  readonly contents: Uint8Array | ByteStream;
  /** Whether the owner may execute it. */
  readonly executable: boolean;
}

/** Reads files, many at a time, in memory that it uses again. */
export class FileReader {
  readonly #shortBuffers = new BufferPool(SHORT_FILE_BYTES + 1, SHORT_BUFFERS);
  readonly #longBuffers = new BufferPool(PIECE_BYTES, LONG_FILES);
  readonly #longFiles = new ByteBudget(LONG_FILES * PIECE_BYTES);

  /**
   * Opens a file, lets `use` read it to the end, and closes it.
   *
   * @throws CastoreError CHANGED_WHILE_READING when it was written to meanwhile, or is no
   *   regular file any more
   */
  async withFile<T>(path: HostPath, use: (file: OpenedFile) => Promise<T>): Promise<T> {
    const buffer = this.#shortBuffers.acquire();
    try {
      const short = await onPath("read", path, async () => readShort(path, buffer));
      if (short !== undefined) return await use(short);
    } finally {
      this.#shortBuffers.release(buffer);
    }
    return await this.#withLongFile(path, use);
  }

  async #withLongFile<T>(path: HostPath, use: (file: OpenedFile) => Promise<T>): Promise<T> {
    await this.#longFiles.acquire(PIECE_BYTES);
    const buffer = this.#longBuffers.acquire();
    try {
      return await withOpenFile(path, async (handle) => {
        const before = await handle.stat();
        const executable = isExecutable(before, path);
        const result = await use({ contents: readPieces(handle, path, buffer), executable });
        const after = await handle.stat();
        if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw changed(path);
        return result;
      });
    } finally {
      this.#longBuffers.release(buffer);
      this.#longFiles.release(PIECE_BYTES);
    }
  }
}

/** Reads a file on the spot; undefined when it is too long for that. */
function readShort(path: HostPath, buffer: Uint8Array): OpenedFile | undefined {
  const descriptor = openSync(path, FLAGS);
  try {
    const stats = fstatSync(descriptor);
    if (stats.size > SHORT_FILE_BYTES) return undefined;
    const executable = isExecutable(stats, path);
    // One byte more shows whether it has grown.
    const most = stats.size + 1;
    let length = 0;
    for (let read = -1; read !== 0 && length < most; length += read) {
      read = readSync(descriptor, buffer, length, most - length, length);
    }
    if (length !== stats.size) throw changed(path);
    return { contents: buffer.subarray(0, length), executable };
  } finally {
    closeSync(descriptor);
  }
}

async function withOpenFile<T>(path: HostPath, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await onPath("open", path, () => open(path, FLAGS));
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

async function* readPieces(handle: FileHandle, path: HostPath, buffer: Uint8Array): ByteStream {
  for (;;) {
    const { bytesRead } = await onPath("read", path, () => handle.read(buffer, 0, buffer.length));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function isExecutable(stats: Stats, path: HostPath): boolean {
  if (!stats.isFile()) throw changed(path);
  return (stats.mode & constants.S_IXUSR) !== 0;
}

function changed(path: HostPath): CastoreError {
  const shown = showPath(path);
  return new CastoreError("CHANGED_WHILE_READING", `${shown} was changed while it was read`, {
    subject: shown,
  });
}
