import type { FileHandle } from "node:fs/promises";
import { type B3Digest, CastoreError, type EncodedChunk } from "@tvix/castore";
import {
  type ChunkPlacement,
  type ExtentLocation,
  SizedBuffers,
  unreadableChunk,
} from "@tvix/castore/backend";
import type { PackDirectory } from "./pack-directory.ts";
import { RUN_BYTES, readRuns } from "./read-runs.ts";
import { isIntactRecord, RECORD_HEAD_BYTES } from "./record.ts";

/** Packs held open at the same time. */
const OPEN_PACKS = 64;

/** Lengths of buffers for what lies close together, and how many of each are kept to be used again. */
const BUFFER_LENGTHS = [RUN_BYTES / 8, RUN_BYTES / 4, RUN_BYTES / 2, RUN_BYTES];
const KEPT_BUFFERS = 4;

/** What was read together. */
interface FoundRecords {
  readonly found: readonly (EncodedChunk | undefined)[];
  /** To be called once, when nobody looks at it any more. */
  readonly release: () => void;
}

interface OpenPack {
  readonly handle: Promise<FileHandle>;
  readers: number;
  /** Whether its last reader closes it. */
  isForgotten: boolean;
}

/** Reads payloads out of packs. A pack stays open while it is used, the latest used ones longer. */
export class PackReader {
  readonly #directory: PackDirectory;
  readonly #buffers: SizedBuffers = new SizedBuffers(BUFFER_LENGTHS, KEPT_BUFFERS);
  #closed = false;
  /** In the order of their last use. */
  readonly #open: Map<number, OpenPack> = new Map();

  constructor(directory: PackDirectory) {
    this.#directory = directory;
  }

  /**
   * Looks whether the pack of a chunk is there, and long enough.
   *
   * @throws CastoreError CORRUPT when it is not
   */
  checkPlace(digest: B3Digest, { extent, offset, storedLength }: ExtentLocation): void {
    const length = this.#directory.lengthOf(extent);
    if (length === undefined) throw unreadableChunk(digest, "pack is missing");
    if (offset + RECORD_HEAD_BYTES + storedLength > length) {
      throw unreadableChunk(digest, "pack ends before the record does");
    }
  }

  /**
   * The stored form of a chunk.
   *
   * @throws CastoreError CORRUPT when the pack is missing or ends before the record does
   */
  async read(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    const { extent, offset, encoding, size, storedLength } = location;
    const payload = await this.#readBytes(extent, offset + RECORD_HEAD_BYTES, storedLength);
    if (payload === undefined) throw unreadableChunk(digest, "pack is missing");
    if (payload.length < storedLength) throw unreadableChunk(digest, "pack ends before the record does");
    return { encoding, size, payload };
  }

  /**
   * The stored form of a chunk whose record as a whole has proved intact: for those who pass
   * it on without decoding it.
   *
   * @throws CastoreError CORRUPT also when the record is not that of the chunk, or its checksum
   *   does not fit
   */
  async readRecord(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    const { extent, offset, encoding, size, storedLength } = location;
    const length = RECORD_HEAD_BYTES + storedLength;
    const record = await this.#readBytes(extent, offset, length);
    if (record === undefined) throw unreadableChunk(digest, "pack is missing");
    if (record.length < length) throw unreadableChunk(digest, "pack ends before the record does");
    if (!isIntactRecord(record, digest, location)) throw unreadableChunk(digest, "record is damaged");
    return { encoding, size, payload: record.subarray(RECORD_HEAD_BYTES) };
  }

  /**
   * The same for several chunks: what lies close together is read at once. Undefined for what {@link readRecord} throws
   * for.
   */
  async readRecords(wanted: readonly ChunkPlacement[]): Promise<FoundRecords> {
    const found = new Array<EncodedChunk | undefined>(wanted.length).fill(undefined);
    const taken: Uint8Array[] = [];
    const runs = readRuns(wanted).map(async ({ extent, start, end, members }) => {
      const length = end - start;
      const buffer = this.#buffers.acquire(length);
      taken.push(buffer);
      const bytes = await this.#readInto(buffer.subarray(0, length), extent, start);
      if (bytes === undefined) return;
      for (const index of members) {
        const { digest, location } = wanted[index] as ChunkPlacement;
        const { encoding, size, storedLength } = location;
        const from = location.offset - start;
        const record = bytes.subarray(from, from + RECORD_HEAD_BYTES + storedLength);
        if (!isIntactRecord(record, digest, location)) continue;
        found[index] = { encoding, size, payload: record.subarray(RECORD_HEAD_BYTES) };
      }
    });
    const release = () => {
      for (const buffer of taken) this.#buffers.release(buffer);
    };
    const outcomes = await Promise.allSettled(runs);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed === undefined) return { found, release };
    release();
    throw failed.reason;
  }

  /** Bytes of a pack, fewer where it ends before; undefined when it is not there. */
  async #readBytes(extent: number, from: number, length: number): Promise<Uint8Array | undefined> {
    return await this.#readInto(unshared(length), extent, from);
  }

  async #readInto(bytes: Uint8Array, extent: number, from: number): Promise<Uint8Array | undefined> {
    const opened = this.#acquire(extent);
    try {
      const handle = await opened.handle;
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
      return bytesRead < bytes.length ? bytes.subarray(0, bytesRead) : bytes;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    } finally {
      opened.readers--;
      if (opened.isForgotten && opened.readers === 0) await closed(opened);
      await this.#closeUnused(this.#closed ? 0 : OPEN_PACKS);
    }
  }

  /** Closes a pack that is not being read; one that is, with its last reader. */
  async forget(pack: number): Promise<void> {
    const opened = this.#open.get(pack);
    this.#open.delete(pack);
    if (opened === undefined) return;
    opened.isForgotten = true;
    if (opened.readers === 0) await closed(opened);
  }

  /** Closes every pack; one that is being read, when it has been. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#closeUnused(0);
  }

  #acquire(pack: number): OpenPack {
    if (this.#closed) throw new CastoreError("CLOSED", "the store is closed");
    const opened = this.#open.get(pack) ?? {
      handle: this.#directory.openPack(pack, "r"),
      readers: 0,
      isForgotten: false,
    };
    opened.readers++;
    this.#open.delete(pack);
    this.#open.set(pack, opened);
    opened.handle.catch(() => this.#open.delete(pack));
    return opened;
  }

  async #closeUnused(kept: number): Promise<void> {
    if (this.#open.size <= kept) return;
    for (const [pack, { handle, readers }] of [...this.#open]) {
      if (this.#open.size <= kept) return;
      if (readers > 0) continue;
      this.#open.delete(pack);
      await closed({ handle });
    }
  }
}

/** Memory that is not filled with zeros first, and not cut from what others share. */
function unshared(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}

/** Closes a pack; one that could not be opened has told whoever wanted it. */
async function closed({ handle }: Pick<OpenPack, "handle">): Promise<void> {
  const opened = await handle.catch(() => undefined);
  await opened?.close();
}
