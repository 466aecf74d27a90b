import type { FileHandle } from "node:fs/promises";
import { type B3Digest, CastoreError, type EncodedChunk } from "@tvix/castore";
import { type ExtentLocation, unreadableChunk } from "@tvix/castore/backend";
import type { PackDirectory } from "./pack-directory.ts";
import { decodeRecordHead, RECORD_HEAD_BYTES, recordChecksum } from "./record.ts";

/** Packs held open at the same time. */
const OPEN_PACKS = 64;

interface OpenPack {
  readonly handle: Promise<FileHandle>;
  readers: number;
  /** Whether its last reader closes it. */
  isForgotten: boolean;
}

/** Reads payloads out of packs. A pack stays open while it is used, the latest used ones longer. */
export class PackReader {
  readonly #directory: PackDirectory;
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
    const { encoding, size, storedLength } = location;
    const payload = await this.#readBytes(digest, location, RECORD_HEAD_BYTES, storedLength);
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
    const { encoding, size, storedLength } = location;
    const record = await this.#readBytes(digest, location, 0, RECORD_HEAD_BYTES + storedLength);
    const payload = record.subarray(RECORD_HEAD_BYTES);
    const head = decodeRecordHead(record);
    if (
      head === undefined ||
      head.encoding !== encoding ||
      head.size !== size ||
      head.storedLength !== storedLength ||
      !head.digest.equals(digest) ||
      head.checksum !== recordChecksum(record, payload)
    ) {
      throw unreadableChunk(digest, "record is damaged");
    }
    return { encoding, size, payload };
  }

  /** Bytes of a record, from a place in it on. */
  async #readBytes(
    digest: B3Digest,
    { extent, offset }: ExtentLocation,
    from: number,
    length: number,
  ): Promise<Uint8Array> {
    const opened = this.#acquire(extent);
    try {
      const handle = await opened.handle;
      // Not filled with zeros first, and not cut from memory that others share.
      const { buffer } = Buffer.allocUnsafeSlow(length);
      const bytes = new Uint8Array(buffer);
      const { bytesRead } = await handle.read(bytes, 0, length, offset + from);
      if (bytesRead < length) throw unreadableChunk(digest, "pack ends before the record does");
      return bytes;
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
        throw unreadableChunk(digest, "pack is missing", cause);
      }
      throw cause;
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

/** Closes a pack; one that could not be opened has told whoever wanted it. */
async function closed({ handle }: Pick<OpenPack, "handle">): Promise<void> {
  const opened = await handle.catch(() => undefined);
  await opened?.close();
}
