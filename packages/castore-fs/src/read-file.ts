import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import type { ByteStream } from "@tvix/byte-stream";
import { ByteBudget, CastoreError } from "@tvix/castore";
import { BufferPool } from "@tvix/castore/backend";
import { HardLinks } from "./hard-links.ts";
import { type HostPath, onPath, onPathSync, showPath } from "./host-path.ts";
import { isSameFile } from "./same-file.ts";

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

/** The contents of a file: whole where it is short, else as a stream, which can be had again. */
export interface OpenedFile {
  /** Memory that is used again: a piece is valid until the next is asked for. */
  readonly contents: Uint8Array | (() => ByteStream);
  /** Whether the owner may execute it. */
  readonly executable: boolean;
}

/** Reads files, many at a time, in memory that it uses again; each once, whatever its names. */
export class FileReader<T> {
  readonly #use: (file: OpenedFile) => Promise<T>;
  readonly #links = new HardLinks<T>();
  readonly #shortBuffers = new BufferPool(SHORT_FILE_BYTES + 1, SHORT_BUFFERS);
  readonly #longBuffers = new BufferPool(PIECE_BYTES, LONG_FILES);
  readonly #longFiles = new ByteBudget(LONG_FILES * PIECE_BYTES);

  /** @param use reads an opened file to its end */
  constructor(use: (file: OpenedFile) => Promise<T>) {
    this.#use = use;
  }

  /**
   * Opens a file, has it used, and closes it.
   *
   * @throws CastoreError CHANGED_WHILE_READING when it was written to meanwhile, or is no
   *   regular file any more
   */
  async read(path: HostPath): Promise<T> {
    const buffer = this.#shortBuffers.acquire();
    try {
      const { stats, length } = onPathSync("read", path, () => readShort(path, buffer));
      return await this.#links.once(stats, () =>
        this.#use({
          contents: length === undefined ? () => this.#readLong(path, stats) : buffer.subarray(0, length),
          executable: isExecutable(stats),
        }),
      );
    } finally {
      this.#shortBuffers.release(buffer);
    }
  }

  /** A file's place among the few that are read at once is free again when its last byte is read. */
  async *#readLong(path: HostPath, found: BigIntStats): ByteStream {
    await this.#longFiles.acquire(PIECE_BYTES);
    const buffer = this.#longBuffers.acquire();
    try {
      yield* readPieces(path, buffer, found);
    } finally {
      this.#longBuffers.release(buffer);
      this.#longFiles.release(PIECE_BYTES);
    }
  }
}

/** Reads a file on the spot; without a length when it is too long for that. */
function readShort(path: HostPath, buffer: Uint8Array): { stats: BigIntStats; length: number | undefined } {
  const descriptor = openSync(path, FLAGS);
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    if (!stats.isFile()) throw changed(path);
    if (stats.size > SHORT_FILE_BYTES) return { stats, length: undefined };
    const size = Number(stats.size);
    let length = 0;
    do {
      // One byte more shows whether it has grown, or has a length that it does not tell, as in /proc.
      const read = readSync(descriptor, buffer, length, size + 1 - length, length);
      length += read;
      if (read === 0) break;
    } while (length < size);
    if (length > size) throw longerThanStated(path);
    if (length < size) throw changed(path);
    if (!isSameFile(stats, fstatSync(descriptor, { bigint: true }))) throw changed(path);
    return { stats, length };
  } finally {
    closeSync(descriptor);
  }
}

async function* readPieces(path: HostPath, buffer: Uint8Array, found: BigIntStats): ByteStream {
  const handle = await onPath("open", path, () => open(path, FLAGS));
  try {
    const size = Number(found.size);
    for (let length = 0; ; ) {
      // No more than it had when it was found, or one byte: one that grows as it is read has no end.
      const wanted = Math.min(buffer.length, size + 1 - length);
      const { bytesRead } = await onPath("read", path, () => handle.read(buffer, 0, wanted));
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length > size) throw longerThanStated(path);
      yield buffer.subarray(0, bytesRead);
    }
    if (!isSameFile(found, await handle.stat({ bigint: true }))) throw changed(path);
  } finally {
    await handle.close();
  }
}

function isExecutable({ mode }: BigIntStats): boolean {
  return (mode & BigInt(constants.S_IXUSR)) !== 0n;
}

function longerThanStated(path: HostPath): CastoreError {
  const shown = showPath(path);
  const text = `${shown} has more bytes than its length says: it grows, or is no ordinary file`;
  return new CastoreError("CHANGED_WHILE_READING", text, { subject: shown });
}

/** What to say when a file or directory is not what it was a moment ago. */
export function changed(path: HostPath): CastoreError {
  const shown = showPath(path);
  return new CastoreError("CHANGED_WHILE_READING", `${shown} was changed while it was read`, {
    subject: shown,
  });
}
