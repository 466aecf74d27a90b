import type { FileHandle } from "node:fs/promises";
import { type B3Digest, CastoreError } from "@tvix/castore";
import { type ExtentLocation, type FreshlyEncoded, GroupCommit } from "@tvix/castore/backend";
import type { PackDirectory, PackEnd } from "./pack-directory.ts";
import { encodeRecordHead, RECORD_HEAD_BYTES } from "./record.ts";
import { writeAll } from "./write-all.ts";

/** A chunk on its way into a pack. */
interface Appended {
  readonly digest: B3Digest;
  readonly chunk: FreshlyEncoded;
  /** Set when the record has its place. */
  location: ExtentLocation | undefined;
}

/** How a {@link PackAppender} writes. */
export interface PackAppenderOptions {
  /** Length after which the next pack begins, in bytes. */
  readonly packBytes: number;
  /** Whether each group of records is flushed to the disk. */
  readonly sync: boolean;
  /** Bytes that are written and flushed together at the most. */
  readonly groupBytes: number;
}

/**
 * Appends chunk records to the newest pack, one group at a time. After a failure it goes on
 * in a new pack, so that what is half-written stays behind the end of the old one.
 */
export class PackAppender {
  readonly #directory: PackDirectory;
  readonly #options: PackAppenderOptions;
  readonly #commits: GroupCommit<Appended>;
  #number: number;
  /** The pack to which nothing more is appended, if that is the current one. */
  #left = 0;
  #closed = false;
  #failure: unknown;
  #current: { handle: FileHandle; end: number } | undefined;

  /** @param lastNumber number of the newest pack that is there; appending begins a new one unless resumed */
  constructor(directory: PackDirectory, lastNumber: number, options: PackAppenderOptions) {
    this.#directory = directory;
    this.#number = lastNumber;
    this.#options = options;
    this.#commits = new GroupCommit((group) => this.#write(group), options.groupBytes);
  }

  /** What the last append has failed with; undefined when it has succeeded, or {@link forgive} was called. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Forgets the last failure: what led to it is over. */
  forgive(): void {
    this.#failure = undefined;
  }

  /** Goes on with a pack that is there, whose valid records end at `end`. */
  resume(handle: FileHandle, end: number): void {
    this.#current = { handle, end };
  }

  /** Appends a chunk, and releases it; returns its place when it is durable. */
  async append(digest: B3Digest, chunk: FreshlyEncoded): Promise<ExtentLocation> {
    if (this.#closed) {
      chunk.release();
      throw new CastoreError("CLOSED", "the store is closed");
    }
    const appended: Appended = { digest, chunk, location: undefined };
    await this.#commits.commit(appended, RECORD_HEAD_BYTES + chunk.payload.length);
    if (appended.location === undefined) throw new Error("a record was written without a place");
    return appended.location;
  }

  /** Appends nothing more to a pack: what follows goes into a new one. */
  async leave(number: number): Promise<void> {
    if (number !== this.#number) return;
    this.#left = number;
    await this.#commits.idle();
    if (number === this.#number) await this.#finishPack();
  }

  /** Finishes what is under way and closes the pack; returns where it ends, if there is one. */
  async close(): Promise<PackEnd | undefined> {
    this.#closed = true;
    await this.#commits.idle();
    const last = this.#current;
    this.#current = undefined;
    await last?.handle.close();
    return last === undefined ? undefined : { pack: this.#number, end: last.end };
  }

  async #write(group: readonly Appended[]): Promise<void> {
    try {
      const { handle, start, end } = await this.#writeRecords(group);
      if (this.#options.sync) await this.#orAbandon(handle, start, () => handle.datasync());
      this.#current = { handle, end };
      this.#failure = undefined;
      if (end >= this.#options.packBytes) await this.#finishPack();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Writes a group, whose memory is free then: it need not wait for the disk. */
  async #writeRecords(
    group: readonly Appended[],
  ): Promise<{ handle: FileHandle; start: number; end: number }> {
    try {
      const { handle, end: start } = await this.#openCurrent();
      const buffers: Uint8Array[] = [];
      let end = start;
      for (const appended of group) {
        const { encoding, size, payload } = appended.chunk;
        appended.location = {
          extent: this.#number,
          offset: end,
          encoding,
          size,
          storedLength: payload.length,
        };
        buffers.push(encodeRecordHead(appended.digest, appended.chunk), payload);
        end += RECORD_HEAD_BYTES + payload.length;
      }
      await this.#orAbandon(handle, start, () => writeAll(handle, buffers, start));
      return { handle, start, end };
    } finally {
      for (const { chunk } of group) chunk.release();
    }
  }

  /** Does something to the pack, which is left behind at `start` when that fails. */
  async #orAbandon(handle: FileHandle, start: number, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#current = undefined;
      // Whether this helps or not, the next pack is a new one.
      await handle.truncate(start).catch(() => {});
      await handle.close().catch(() => {});
      // On a full disk every attempt would leave an empty one behind.
      if (start === 0) await this.#directory.removePack(this.#number).catch(() => {});
      throw error;
    }
  }

  async #openCurrent(): Promise<{ handle: FileHandle; end: number }> {
    if (this.#left === this.#number) await this.#finishPack();
    if (this.#current === undefined) {
      this.#current = { handle: await this.#createNext(), end: 0 };
    }
    return this.#current;
  }

  /** A new pack, with the next number that nobody else has taken. */
  async #createNext(): Promise<FileHandle> {
    for (;;) {
      this.#number++;
      try {
        return await this.#directory.createPack(this.#number, this.#options.sync);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      }
    }
  }

  async #finishPack(): Promise<void> {
    const finished = this.#current;
    this.#current = undefined;
    await finished?.handle.close();
  }
}
