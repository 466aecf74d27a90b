import type { ChunkCodec, EncodedChunk, FreshlyEncoded } from "../blob/chunk-codec.ts";
import type { ChunkStore } from "../blob/chunk-store.ts";
import type { StoredChunk, StoredChunkStore } from "../blob/stored-blobs.ts";
import { decodeVerified } from "../blob/verify-chunk.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { decodeChunkRecord, encodeInline, encodeLocation, type PackLocation } from "../level/chunk-record.ts";
import { CHUNK } from "../level/chunk-store.ts";
import { type Database, keyOf } from "../level/database.ts";
import { RecentReads } from "../memory-use/recent-reads.ts";
import type { PackAppender } from "./pack-appender.ts";
import type { PackReader } from "./pack-reader.ts";

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

/** Chunks in pack files; the database holds where each lies, and the small ones themselves. */
export class PackChunkStore implements ChunkStore, StoredChunkStore {
  readonly #database: Database;
  readonly #appender: PackAppender;
  readonly #reader: PackReader;
  readonly #codec: ChunkCodec;
  readonly #chunks = new RecentReads<Uint8Array>(RECENT_CHUNK_BYTES, ({ length }) => length);
  readonly #stored = new RecentReads<EncodedChunk>(RECENT_STORED_BYTES, ({ payload }) => payload.length);
  /** Chunks that were found damaged; they count as absent until written again. */
  readonly #damaged: Set<string> = new Set();

  constructor(database: Database, appender: PackAppender, reader: PackReader, codec: ChunkCodec) {
    this.#database = database;
    this.#appender = appender;
    this.#reader = reader;
    this.#codec = codec;
  }

  has(digest: B3Digest): Promise<boolean> {
    if (this.#damaged.has(digest.key)) return Promise.resolve(false);
    return this.#database.has(keyOf(CHUNK, digest.bytes));
  }

  async read(digest: B3Digest): Promise<Uint8Array | undefined> {
    const record = await this.#database.get(keyOf(CHUNK, digest.bytes));
    if (record === undefined) return undefined;
    return await this.#watched(digest, () => this.#chunks.get(digest, () => this.#decode(digest, record)));
  }

  async describe(digest: B3Digest): Promise<PlacedStoredChunk | undefined> {
    if (this.#damaged.has(digest.key)) return undefined;
    const record = await this.#database.get(keyOf(CHUNK, digest.bytes));
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
    return await this.#watched(digest, () => read(place));
  }

  async #find(digest: B3Digest): Promise<PlacedStoredChunk> {
    const found = await this.describe(digest);
    if (found !== undefined) return found;
    const subject = digest.toString();
    throw new CastoreError("INCOMPLETE", `chunk ${subject} is not in the store`, { subject });
  }

  async write(digest: B3Digest, bytes: Uint8Array, release?: () => void): Promise<void> {
    const encoded = await this.#codec.encode(bytes, release);
    const value = await this.#place(digest, encoded);
    await this.#database.write([{ type: "put", key: keyOf(CHUNK, digest.bytes), value }]);
    this.#damaged.delete(digest.key);
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

  /** Notes which chunks are damaged. */
  async #watched<T>(digest: B3Digest, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (cause) {
      if (!CastoreError.is(cause)) throw storageFailure("read", cause);
      this.#damaged.add(digest.key);
      throw cause;
    }
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

function storageFailure(verb: "read" | "written", cause: unknown): CastoreError {
  const full = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
  const message = full ? "no space is left for chunks" : `a pack could not be ${verb}`;
  return new CastoreError(full ? "NO_SPACE" : "STORAGE_FAILURE", message, { cause });
}
