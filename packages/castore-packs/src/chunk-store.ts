import { equalBytes } from "@tvix/byte-stream";
import {
  type B3Digest,
  CastoreError,
  type ChunkStore,
  type EncodedChunk,
  type RecordStore,
  type StoredChunk,
} from "@tvix/castore";
import {
  CHUNKS,
  type ChunkCodec,
  DamagedChunks,
  decodeChunkRecord,
  decodeVerified,
  encodeInline,
  encodeLocation,
  type FreshlyEncoded,
  type PackLocation,
  RecentReads,
  type StoredChunkStore,
} from "@tvix/castore/backend";
import type { PackAppender } from "./pack-appender.ts";
import type { PackReader } from "./pack-reader.ts";
import { storageFailure } from "./storage-failure.ts";
import type { ActivityCounts } from "./store-activity.ts";

/**
 * Longest payload that is kept in the database itself: one flush and one read instead of two
 * for small chunks. LevelDB writes long values several times over.
 */
const INLINE_MAX_BYTES = 1024;

/** Bytes of chunks, and of their stored forms, that are remembered after they were read. */
const RECENT_CHUNK_BYTES = 4 << 20;
const RECENT_STORED_BYTES = 8 << 20;

/** A chunk of this store and where it lies, so that it need not be looked up again. */
interface PlacedStoredChunk extends StoredChunk {
  readonly place: EncodedChunk | PackLocation;
}

/** What a {@link PackChunkStore} is made of. */
export interface PackChunkStoreParts {
  readonly records: RecordStore;
  readonly appender: PackAppender;
  readonly reader: PackReader;
  readonly codec: ChunkCodec;
  /** Counts what is written. */
  readonly counts: ActivityCounts;
}

/** Chunks in pack files; the database holds where each lies, and the small ones themselves. */
export class PackChunkStore implements ChunkStore, StoredChunkStore {
  readonly #records: RecordStore;
  readonly #appender: PackAppender;
  readonly #reader: PackReader;
  readonly #codec: ChunkCodec;
  readonly #counts: ActivityCounts;
  readonly #chunks = new RecentReads<Uint8Array>(RECENT_CHUNK_BYTES, ({ length }) => length);
  readonly #stored = new RecentReads<EncodedChunk>(RECENT_STORED_BYTES, ({ payload }) => payload.length);
  readonly #damaged: DamagedChunks;
  /** Packs in which something was found damaged: where one chunk is, others often are as well. */
  readonly #suspectPacks: Set<number>;

  private constructor(parts: PackChunkStoreParts, damaged: DamagedChunks, suspectPacks: Set<number>) {
    this.#records = parts.records;
    this.#appender = parts.appender;
    this.#reader = parts.reader;
    this.#codec = parts.codec;
    this.#counts = parts.counts;
    this.#damaged = damaged;
    this.#suspectPacks = suspectPacks;
  }

  /** Takes over the parts, and what is known of damage. */
  static async open(parts: PackChunkStoreParts): Promise<PackChunkStore> {
    const suspectPacks = new Set<number>();
    const damaged = await DamagedChunks.open(parts.records, async (digest) => {
      const record = await CHUNKS.get(parts.records, digest);
      const pack = record === undefined ? undefined : packOf(record, digest);
      if (pack !== undefined) suspectPacks.add(pack);
    });
    return new PackChunkStore(parts, damaged, suspectPacks);
  }

  /** Reads of chunks, in either form, and those of them that were answered from memory. */
  get reads(): { readonly all: number; readonly remembered: number } {
    const all = this.#chunks.asked + this.#stored.asked;
    return { all, remembered: all - this.#chunks.missed - this.#stored.missed };
  }

  get version(): number {
    return this.#damaged.version;
  }

  /**
   * Besides the record of the chunk its pack is looked at: a system call of some microseconds. In
   * a pack in which damage was found, the whole chunk is read.
   */
  async has(digest: B3Digest): Promise<boolean> {
    if (this.#damaged.has(digest)) return false;
    const record = await CHUNKS.get(this.#records, digest);
    if (record === undefined) return false;
    try {
      const place = decodeChunkRecord(record, digest);
      if ("payload" in place) return true;
      this.#reader.checkPlace(digest, place);
      if (this.#suspectPacks.has(place.pack)) await this.#reader.readRecord(digest, place);
      return true;
    } catch (error) {
      if (!CastoreError.is(error)) throw storageFailure("read", error);
      await this.#noteDamage(digest, record);
      return false;
    }
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    const record = await CHUNKS.get(this.#records, digest);
    if (record === undefined) return undefined;
    return await this.#watched(digest, record, () =>
      this.#chunks.get(digest, () => this.#decode(digest, record)),
    );
  }

  async describe(digest: B3Digest): Promise<PlacedStoredChunk | undefined> {
    if (this.#damaged.has(digest)) return undefined;
    const record = await CHUNKS.get(this.#records, digest);
    if (record === undefined) return undefined;
    const place = decodeChunkRecord(record, digest);
    const { encoding, size } = place;
    const storedLength = "payload" in place ? place.payload.length : place.storedLength;
    return { digest, encoding, size, storedLength, place };
  }

  async readStored(chunk: StoredChunk): Promise<EncodedChunk> {
    const { digest } = chunk;
    const read = (place: EncodedChunk | PackLocation) =>
      this.#stored.get(digest, () => this.#readStored(digest, place));
    if ("place" in chunk) {
      try {
        return await read((chunk as PlacedStoredChunk).place);
      } catch (error) {
        if (!CastoreError.is(error)) throw storageFailure("read", error);
        // It was damaged there. Since it was described it may have been written anew, elsewhere.
      }
    }
    const { place } = await this.#find(digest);
    const record = await CHUNKS.get(this.#records, digest);
    return await this.#watched(digest, record, () => read(place));
  }

  async #find(digest: B3Digest): Promise<PlacedStoredChunk> {
    const found = await this.describe(digest);
    if (found !== undefined) return found;
    const subject = digest.toString();
    throw new CastoreError("INCOMPLETE", `chunk ${subject} is not in the store`, { subject });
  }

  async write(digest: B3Digest, bytes: Uint8Array, release?: () => void): Promise<void> {
    const { length } = bytes;
    const encoded = await this.#codec.encode(bytes, release);
    this.#counts.chunkBytesNew += length;
    this.#counts.chunkBytesStored += encoded.payload.length;
    const value = await this.#place(digest, encoded);
    await this.#records.write([CHUNKS.put(digest, value), ...this.#damaged.mending(digest)]);
    // What was stored may have had another form.
    this.#stored.forget(digest);
    this.#damaged.remove(digest);
  }

  async #decode(digest: B3Digest, record: Uint8Array): Promise<Uint8Array> {
    const found = decodeChunkRecord(record, digest);
    const stored = "payload" in found ? found : await this.#reader.read(digest, found);
    return await decodeVerified(this.#codec, digest, stored);
  }

  async #readStored(digest: B3Digest, place: EncodedChunk | PackLocation): Promise<EncodedChunk> {
    if (!("payload" in place)) return await this.#reader.readRecord(digest, place);
    // Nothing but its digest tells whether a chunk in the database is intact.
    await decodeVerified(this.#codec, digest, place);
    return place;
  }

  /** Notes a chunk as damaged when it cannot be read where its record says. */
  async #watched<T>(digest: B3Digest, record: Uint8Array | undefined, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (cause) {
      if (!CastoreError.is(cause)) throw storageFailure("read", cause);
      await this.#noteDamage(digest, record);
      throw cause;
    }
  }

  /** @param found the record that led to the damage: the chunk may have been written anew since */
  async #noteDamage(digest: B3Digest, found: Uint8Array | undefined): Promise<void> {
    const record = await CHUNKS.get(this.#records, digest);
    if (record === undefined || found === undefined || !equalBytes(record, found)) return;
    const pack = packOf(record, digest);
    if (pack !== undefined) this.#suspectPacks.add(pack);
    await this.#damaged.add(digest);
  }

  /** Puts a chunk where it belongs; returns its record, which says where. */
  async #place(digest: B3Digest, encoded: FreshlyEncoded): Promise<Uint8Array> {
    if (encoded.payload.length <= INLINE_MAX_BYTES) {
      const record = encodeInline(encoded);
      encoded.release();
      return record;
    }
    try {
      return encodeLocation(await this.#appender.append(digest, encoded));
    } catch (cause) {
      if (CastoreError.is(cause)) throw cause;
      throw storageFailure("written", cause);
    }
  }
}

/** The pack in which a chunk lies by its record; undefined for one in the database, or a damaged record. */
function packOf(record: Uint8Array, digest: B3Digest): number | undefined {
  try {
    const place = decodeChunkRecord(record, digest);
    return "pack" in place ? place.pack : undefined;
  } catch {
    return undefined;
  }
}
