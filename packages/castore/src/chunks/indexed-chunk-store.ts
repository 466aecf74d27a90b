import { equalBytes } from "@tvix/byte-stream";
import type { StoredChunk, StoredChunkStore } from "../blob/stored-blobs.ts";
import { claim } from "../collect/fence.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { Extents } from "../extents/extents.ts";
import type { RecentReads } from "../memory-use/recent-reads.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordChange, RecordStore } from "../records/record-store.ts";
import { CHUNKS } from "../records/tables.ts";
import { type ChunkCodec, type EncodedChunk, RAW_CODEC } from "./chunk-codec.ts";
import { type ChunkPlace, decodeChunkRecord, describedChunk } from "./chunk-record.ts";
import { ChunkRecorder } from "./chunk-recorder.ts";
import type { ChunkStore } from "./chunk-store.ts";
import { DamagedChunks } from "./damaged-chunks.ts";
import { findLostChunks } from "./find-lost-chunks.ts";
import { readManyInto, readManyStored } from "./read-many.ts";
import { decodeVerified } from "./verify-chunk.ts";

/** What an {@link IndexedChunkStore} is made of. */
export interface ChunkStoreParts {
  /** The index: where each chunk lies, and short ones themselves. */
  readonly records: RecordStore;
  /** Where longer ones lie. Default: in the records, however long they are. */
  readonly extents?: Extents | undefined;
  /** Default: chunks are stored as they are. */
  readonly codec?: ChunkCodec;
  /**
   * Longest stored form that is kept in the record itself, in bytes: one flush and one read in place of two.
   * Default 1024; databases write long values several times over.
   */
  readonly inlineBytes?: number;
  /**
   * Whether other processes write to the same records: then a chunk that one of them has stored meanwhile stays as it is,
   * and what they find damaged is asked for every few seconds. Default false.
   */
  readonly shared?: boolean;
  /** Remembers chunks that were read. Default: nothing does, and each reader has its own bytes. */
  readonly recent?: RecentReads<Uint8Array>;
  /** Remembers stored forms that were read. Default: nothing does. */
  readonly recentStored?: RecentReads<EncodedChunk>;
  /** Told of each chunk that is about to be written: its length, and what is stored of it, in bytes. May refuse by a promise that rejects. */
  readonly onWrite?: (size: number, storedLength: number) => Promise<void> | void;
}

/** Chunks of which records say where in {@link Extents} each lies. */
export class IndexedChunkStore implements ChunkStore, StoredChunkStore {
  readonly #records: RecordStore;
  readonly #extents: Extents | undefined;
  readonly #codec: ChunkCodec;
  readonly #recorder: ChunkRecorder;
  readonly #onWrite: (size: number, storedLength: number) => Promise<void> | void;
  readonly #recent: RecentReads<Uint8Array> | undefined;
  readonly #recentStored: RecentReads<EncodedChunk> | undefined;
  readonly #damaged: DamagedChunks;
  readonly #writing: Set<Promise<void>> = new Set();
  readonly #shared: boolean;

  private constructor(parts: ChunkStoreParts, damaged: DamagedChunks) {
    this.#records = parts.records;
    this.#extents = parts.extents;
    this.#codec = parts.codec ?? RAW_CODEC;
    this.#onWrite = parts.onWrite ?? (() => {});
    this.#recent = parts.recent;
    this.#recentStored = parts.recentStored;
    this.#damaged = damaged;
    this.#shared = parts.shared ?? false;
    this.#recorder = new ChunkRecorder({
      records: parts.records,
      extents: parts.extents,
      inlineBytes: parts.extents === undefined ? Number.POSITIVE_INFINITY : (parts.inlineBytes ?? 1024),
      damaged,
      // Where others write as well, what they have stored meanwhile stays.
      isThere: this.#shared ? (digest) => this.has(digest) : undefined,
    });
  }

  /** The chunks of which the records know, and what is known of damage. */
  static async open(parts: ChunkStoreParts): Promise<IndexedChunkStore> {
    return new IndexedChunkStore(parts, await DamagedChunks.open(parts.records));
  }

  /** A store in records that hold nothing yet. */
  static fresh(parts: ChunkStoreParts): IndexedChunkStore {
    return new IndexedChunkStore(parts, new DamagedChunks(parts.records));
  }

  /** Asks what other processes have found damaged, or written anew. */
  async refresh(): Promise<void> {
    await this.#damaged.refresh();
  }

  get version(): number {
    return this.#damaged.version;
  }

  /**
   * What is condemned is taken back. Besides the record of the chunk its place is looked at. In an extent in which damage was found, the whole
   * chunk is read.
   */
  async has(digest: B3Digest): Promise<boolean> {
    if (this.#damaged.has(digest)) return false;
    const record = await claim(this.#records, { kind: "chunk", digest });
    if (record === undefined) return false;
    try {
      return (await this.#wherever(digest, record, (found) => this.#check(digest, found))) ?? false;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return false;
    }
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    const record = await CHUNKS.get(this.#records, digest);
    return await this.#wherever(digest, record, (found, isFirst) => {
      const decode = () => this.#decode(digest, found);
      return this.#recent === undefined || !isFirst ? decode() : this.#recent.get(digest, decode);
    });
  }

  async describe(digest: B3Digest): Promise<StoredChunk | undefined> {
    if (this.#damaged.has(digest)) return undefined;
    const record = await CHUNKS.get(this.#records, digest);
    return record === undefined ? undefined : describedChunk(digest, record);
  }

  chunkAt(digest: B3Digest, record: Uint8Array): StoredChunk {
    return describedChunk(digest, record);
  }

  async readStored({ digest, record: described }: StoredChunk): Promise<EncodedChunk> {
    try {
      return await this.#readPlaced(digest, decodeChunkRecord(described, digest));
    } catch (error) {
      if (!isDamage(error)) throw error;
      // It was damaged there. Since it was described it may have been written anew, elsewhere.
    }
    const record = this.#damaged.has(digest) ? undefined : await CHUNKS.get(this.#records, digest);
    const found = await this.#wherever(digest, record, (place, isFirst) =>
      isFirst
        ? this.#readPlaced(digest, decodeChunkRecord(place, digest))
        : this.#readStored(digest, decodeChunkRecord(place, digest)),
    );
    if (found === undefined) throw missing(digest);
    return found;
  }

  async readManyStored<T>(
    chunks: readonly StoredChunk[],
    use: (stored: readonly EncodedChunk[]) => Promise<T> | T,
    onMoved?: () => void,
  ): Promise<T> {
    const readStored = (chunk: StoredChunk) => this.readStored(chunk);
    return await readManyStored(chunks, { extents: this.#extents, readStored, onMoved }, use);
  }

  async readManyInto(
    chunks: readonly StoredChunk[],
    places: readonly Uint8Array[],
    onMoved?: () => void,
  ): Promise<void> {
    await readManyInto(chunks, places, {
      extents: this.#extents,
      codec: this.#codec,
      readStored: (chunk) => this.readStored(chunk),
      readAgain: (digest) => this.#readThere(digest),
      onMoved,
    });
  }

  async write(digest: B3Digest, bytes: Uint8Array, release?: () => void): Promise<void> {
    const writing = this.#write(digest, bytes, release);
    this.#writing.add(writing);
    try {
      await writing;
    } finally {
      this.#writing.delete(writing);
    }
  }

  /** Searches the extents for chunks that have no record, or a damaged one. @returns how many were found */
  async findLost(options: OperationOptions = {}): Promise<number> {
    if (this.#extents === undefined) return 0;
    return await findLostChunks(this.#extents, this.#records, this.#damaged, options);
  }

  /** Resolves when every chunk that is being written at the moment has its record, or has failed. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#writing]);
  }

  /**
   * Looks whether a chunk is where its record says. Nothing of it is remembered, and what is wrong is noted: then it
   * counts as absent until it is written again.
   *
   * @param readsData whether its bytes are read, and compared with the digest
   * @returns bytes of the chunk that were read
   * @throws CastoreError CORRUPT when it is damaged
   */
  async inspect(digest: B3Digest, readsData: boolean): Promise<number> {
    const record = await CHUNKS.get(this.#records, digest);
    const read = await this.#wherever(digest, record, async (found) => {
      if (readsData) return (await this.#decode(digest, found)).length;
      await this.#check(digest, found);
      return 0;
    });
    return read ?? 0;
  }

  /** Notes a chunk as damaged that was found so where its record says: it counts as absent until it is written again. */
  async noteDamage(digest: B3Digest, record: Uint8Array): Promise<void> {
    await this.#damaged.add(digest, record);
  }

  /** Removes the record of a chunk that is damaged. @returns whether there was one */
  async forgetDamaged(digest: B3Digest): Promise<boolean> {
    const key = CHUNKS.keyOf(digest);
    const value = await this.#records.get(key);
    if (value === undefined || !this.#damaged.has(digest)) return false;
    // Somebody else may have written it anew, and what is known here be out of date.
    const isDamaged = [{ key, value }, this.#damaged.isNoted(digest)];
    const changes: RecordChange[] = [{ type: "del", key }, ...this.#recorder.mending(digest)];
    const isGone = await this.#records.write(changes, isDamaged);
    if (isGone || this.#shared) this.#damaged.remove(digest);
    return isGone;
  }

  async #write(digest: B3Digest, bytes: Uint8Array, release?: () => void): Promise<void> {
    const { length } = bytes;
    const encoded = await this.#codec.encode(bytes, release);
    try {
      await this.#onWrite(length, encoded.payload.length);
    } catch (error) {
      encoded.release();
      throw error;
    }
    if (!(await this.#recorder.record(digest, encoded))) return;
    // What was stored may have had another form.
    this.#recentStored?.forget(digest);
    this.#damaged.remove(digest);
  }

  async #readThere(digest: B3Digest): Promise<Uint8Array> {
    const bytes = await this.read(digest);
    if (bytes === undefined) throw missing(digest);
    return bytes;
  }

  async #decode(digest: B3Digest, record: Uint8Array): Promise<Uint8Array> {
    const place = decodeChunkRecord(record, digest);
    const stored = "payload" in place ? place : await this.#extentsFor(digest).read(digest, place);
    return await decodeVerified(this.#codec, digest, stored);
  }

  async #readPlaced(digest: B3Digest, place: ChunkPlace): Promise<EncodedChunk> {
    const read = () => this.#readStored(digest, place);
    if (this.#recentStored === undefined) return await read();
    const remembered = await this.#recentStored.get(digest, read);
    if (isOfPlace(remembered, place)) return remembered;
    // Another process has stored it anew, in another form.
    this.#recentStored.forget(digest);
    return await this.#recentStored.get(digest, read);
  }

  async #readStored(digest: B3Digest, place: ChunkPlace): Promise<EncodedChunk> {
    if (!("payload" in place)) return await this.#extentsFor(digest).readIntact(digest, place);
    // Nothing but its digest tells whether a chunk in the record is intact.
    await decodeVerified(this.#codec, digest, place);
    return place;
  }

  /** Looks whether a chunk is where its record says. @throws CastoreError CORRUPT when it is not */
  async #check(digest: B3Digest, record: Uint8Array): Promise<true> {
    const place = decodeChunkRecord(record, digest);
    if ("payload" in place) return true;
    const extents = this.#extentsFor(digest);
    if (this.#damaged.isSuspect(place.extent)) await extents.readIntact(digest, place);
    else await extents.check(digest, place);
    return true;
  }

  /**
   * Uses a chunk where its record says that it is. When it is not there, it may have moved, so its record is asked
   * again; one that is damaged is noted.
   *
   * @param use is told whether it is called for the first time: what others are reading may be the place before
   * @returns undefined for a chunk that is not there
   */
  async #wherever<T>(
    digest: B3Digest,
    record: Uint8Array | undefined,
    use: (record: Uint8Array, isFirst: boolean) => Promise<T>,
  ): Promise<T | undefined> {
    let found = record;
    for (let isFirst = true; found !== undefined; isFirst = false) {
      try {
        return await use(found, isFirst);
      } catch (error) {
        if (!isDamage(error)) throw error;
        const now = await CHUNKS.get(this.#records, digest);
        if (!isFirst && now !== undefined && equalBytes(now, found)) {
          await this.#damaged.add(digest, found);
          throw error;
        }
        found = now;
      }
    }
    return undefined;
  }

  #extentsFor(digest: B3Digest): Extents {
    if (this.#extents !== undefined) return this.#extents;
    // The chunk is not at fault: who opened the store has not said where it lies.
    throw new CastoreError(
      "STORAGE_FAILURE",
      `chunk ${digest} lies in extents, and the store was opened without`,
    );
  }
}

/** Whether a stored form may be the one at a place. */
function isOfPlace({ encoding, size, payload }: EncodedChunk, place: ChunkPlace): boolean {
  const storedLength = "payload" in place ? place.payload.length : place.storedLength;
  return encoding === place.encoding && size === place.size && payload.length === storedLength;
}

/** Whether it is the chunk that is at fault, and not a disk that is out of order or a store that is closed. */
function isDamage(error: unknown): boolean {
  return CastoreError.is(error) && error.code === "CORRUPT";
}

function missing(digest: B3Digest): CastoreError {
  const subject = digest.toString();
  return new CastoreError("INCOMPLETE", `chunk ${subject} is not in the store`, { subject });
}
