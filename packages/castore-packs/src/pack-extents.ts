import { statfs } from "node:fs/promises";
import { type B3Digest, CastoreError } from "@tvix/castore";
import type {
  ChunkPlacement,
  EncodedChunk,
  ExtentInfo,
  ExtentLocation,
  Extents,
  FoundChunk,
  FreshlyEncoded,
} from "@tvix/castore/backend";
import { PackAppender } from "./pack-appender.ts";
import { PackDirectory, type PackEnd } from "./pack-directory.ts";
import { PackReader } from "./pack-reader.ts";
import { scanPack } from "./scan-pack.ts";
import { isDiskFull, storageFailure } from "./storage-failure.ts";

/** How {@link PackExtents} work. */
export interface PackExtentsOptions {
  /** Whether what is appended is flushed to the disk. Default true. */
  readonly sync?: boolean;
  /** Length after which a pack is complete, in bytes. Default 256 MiB. */
  readonly packBytes?: number;
  /** Bytes that are written and flushed together at the most. Default 8 MiB. */
  readonly groupBytes?: number;
  /** Room that has to be on the disk for appending to be tried again once it was full, in bytes. Default 16 MiB. */
  readonly recoveryBytes?: number;
}

/** Extents as append-only files in a folder; each is a pack. */
export class PackExtents implements Extents {
  /** The files. */
  readonly directory: PackDirectory;
  readonly #appender: PackAppender;
  readonly #reader: PackReader;
  readonly #newest: number;
  readonly #packBytes: number;
  readonly #recoveryBytes: number;
  #closing: Promise<void> | undefined;
  #end: PackEnd | undefined;

  private constructor(directory: PackDirectory, newest: number, options: PackExtentsOptions) {
    const { sync = true, packBytes = 256 << 20, groupBytes = 8 << 20, recoveryBytes = 16 << 20 } = options;
    this.directory = directory;
    this.#newest = newest;
    this.#packBytes = packBytes;
    this.#recoveryBytes = recoveryBytes;
    this.#appender = new PackAppender(directory, newest, { packBytes, sync, groupBytes });
    this.#reader = new PackReader(directory);
  }

  /**
   * Opens the packs in a folder, which is made where it is not there. What is appended goes into a new pack.
   *
   * @throws Error of the system
   */
  static async open(path: string, options: PackExtentsOptions = {}): Promise<PackExtents> {
    const directory = new PackDirectory(path);
    await directory.open();
    const newest = (await directory.numbers()).at(-1) ?? 0;
    return new PackExtents(directory, newest, options);
  }

  /** Goes on in the newest pack, if that is the one that was closed in good order, and as it was then. */
  async resume({ pack, end }: PackEnd): Promise<void> {
    if (pack !== this.#newest || end >= this.#packBytes) return;
    const handle = await this.directory.openPack(pack, "r+");
    if ((await handle.stat()).size === end) this.#appender.resume(handle, end);
    else await handle.close();
  }

  async append(digest: B3Digest, chunk: FreshlyEncoded): Promise<ExtentLocation> {
    return await translated("written", () => this.#appender.append(digest, chunk));
  }

  /** On the spot: a system call of some microseconds. */
  check(digest: B3Digest, location: ExtentLocation): void {
    this.#checkOpen();
    try {
      this.#reader.checkPlace(digest, location);
    } catch (error) {
      throw storageFailure("read", error);
    }
  }

  async read(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    return await translated("read", () => this.#reader.read(digest, location));
  }

  async readIntact(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    return await translated("read", () => this.#reader.readRecord(digest, location));
  }

  async readManyIntact<T>(
    wanted: readonly ChunkPlacement[],
    use: (found: readonly (EncodedChunk | undefined)[]) => Promise<T>,
  ): Promise<T> {
    const { found, release } = await translated("read", () => this.#reader.readRecords(wanted));
    try {
      return await use(found);
    } finally {
      release();
    }
  }

  async *list(): AsyncGenerator<ExtentInfo, void, undefined> {
    this.#checkOpen();
    for (const extent of await translated("read", () => this.directory.numbers())) {
      const length = this.directory.lengthOf(extent);
      // It may have been retired meanwhile.
      if (length !== undefined) yield { extent, length };
    }
  }

  async *chunksOf(extent: number): AsyncGenerator<FoundChunk, void, undefined> {
    this.#checkOpen();
    if (this.directory.lengthOf(extent) === undefined) return;
    const handle = await translated("read", () => this.directory.openPack(extent, "r"));
    try {
      for await (const { head, offset } of scanPack(handle, 0)) {
        const { digest, encoding, size, storedLength } = head;
        yield { digest, location: { extent, offset, encoding, size, storedLength } };
      }
    } catch (error) {
      throw storageFailure("read", error);
    } finally {
      await handle.close();
    }
  }

  async seal(extent: number): Promise<void> {
    this.#checkOpen();
    await translated("written", () => this.#appender.leave(extent));
  }

  async retire(extent: number): Promise<void> {
    await this.seal(extent);
    await translated("written", async () => {
      await this.#reader.forget(extent);
      await this.directory.retirePack(extent);
    });
  }

  async recover(): Promise<CastoreError | undefined> {
    this.#checkOpen();
    const { failure } = this.#appender;
    if (failure === undefined) return undefined;
    if (isDiskFull(failure) && (await hasRoom(this.directory.path, this.#recoveryBytes))) {
      this.#appender.forgive();
      return undefined;
    }
    return storageFailure("written", failure);
  }

  /** Where the pack ends to which was appended last; known when they have been closed. */
  get end(): PackEnd | undefined {
    return this.#end;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#end = await this.#appender.close();
    await this.#reader.close();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new CastoreError("CLOSED", "the store is closed");
  }
}

/** Files that can be made where there is room: a pack, and those of the database. */
const FEWEST_FILES = 8;

/** Whether so many bytes are free on the disk of a folder, and some files can be made. */
export async function hasRoom(path: string, bytes: number): Promise<boolean> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(path);
    // Some file systems have no table of files, which could be full.
    return bavail * bsize >= bytes && (files === 0 || ffree >= FEWEST_FILES);
  } catch {
    // A disk of which nothing can be learnt is not one to write to.
    return false;
  }
}

async function translated<T>(verb: "read" | "written", action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageFailure(verb, error);
  }
}
