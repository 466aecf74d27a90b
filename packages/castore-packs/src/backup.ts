import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { B3Digest, type OperationOptions } from "@tvix/castore";
import type { JournalSnapshot } from "./journal/journal.ts";
import type { PackDirectory } from "./pack-directory.ts";

/** A file of a copy of a store, by its name in the folder of the store. */
export interface CopiedFile {
  readonly length: number;
  /** BLAKE3 of its last {@link TAIL_BYTES} bytes, or of all of a shorter one. */
  readonly tail: B3Digest;
}

/** Bytes of a file; what is behind them in the copy goes. */
export interface FilePart {
  readonly name: string;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** What there is of a copy. */
export interface CopyState {
  /** The store that it is a copy of; undefined for one that has nothing yet. */
  readonly storeId: string | undefined;
  /** By the names of the files. */
  readonly files: ReadonlyMap<string, CopiedFile>;
}

/** What a copy of a store consists of. */
export interface CopyContents {
  readonly storeId: string;
  /** The lengths of its files, by their names. */
  readonly files: ReadonlyMap<string, number>;
}

/** Bytes at the end of a file by which it is recognized. */
export const TAIL_BYTES: number = 64 << 10;

/** Bytes that are read together. */
const PART_BYTES = 1 << 20;

/** A file that is only appended to, and how much of it belongs to a copy. */
interface SourceFile {
  readonly name: string;
  readonly length: number;
}

/**
 * What a copy of a store lacks: packs first, then the journal, as it was before. Whatever has come to the copy when
 * this is interrupted, it is a whole store of some moment.
 *
 * @param path folder of the store
 * @param known what the copy has so far
 * @param onContents told what the copy consists of, before the first part
 */
export async function* readBackup(
  path: string,
  packs: PackDirectory,
  journal: JournalSnapshot,
  known: ReadonlyMap<string, CopiedFile>,
  onContents: (files: ReadonlyMap<string, number>) => void,
  { signal }: OperationOptions = {},
): AsyncGenerator<FilePart, void, undefined> {
  const files: SourceFile[] = [];
  for (const number of await packs.numbers()) {
    const length = packs.lengthOf(number) ?? 0;
    if (length > 0) files.push({ name: `packs/${packs.nameOf(number)}`, length });
  }
  for (const { name, length } of journal) files.push({ name: `journal/${name}`, length });
  onContents(new Map(files.map(({ name, length }) => [name, length])));
  for (const file of files) {
    signal?.throwIfAborted();
    const handle = await open(join(path, file.name), "r");
    try {
      yield* readMissing(handle, file, known.get(file.name));
    } finally {
      await handle.close();
    }
  }
}

async function* readMissing(
  handle: FileHandle,
  { name, length }: SourceFile,
  known: CopiedFile | undefined,
): AsyncGenerator<FilePart, void, undefined> {
  const isBegun =
    known !== undefined && known.length <= length && known.tail.equals(await tailOf(handle, known.length));
  let offset = isBegun ? known.length : 0;
  while (offset < length) {
    const data = await readExactly(handle, offset, Math.min(PART_BYTES, length - offset));
    yield { name, offset, data };
    offset += data.length;
  }
}

/** What the {@link CopiedFile.tail} of the first bytes of a file is. */
export async function tailOf(handle: FileHandle, length: number): Promise<B3Digest> {
  const start = Math.max(0, length - TAIL_BYTES);
  return B3Digest.of(await readExactly(handle, start, length - start));
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) throw new RangeError(`a file ends at byte ${position + at}, and should be longer`);
    at += bytesRead;
  }
  return bytes;
}
