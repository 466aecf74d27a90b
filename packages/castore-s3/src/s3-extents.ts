import { type B3Digest, CastoreError, type RecordCondition, type RecordStore } from "@tvix/castore";
import {
  type ChunkPlacement,
  type EncodedChunk,
  type ExtentInfo,
  type ExtentLocation,
  type Extents,
  type FoundChunk,
  type FreshlyEncoded,
  unreadableChunk,
} from "@tvix/castore/backend";
import {
  decodeRecordHead,
  isIntactRecord,
  PAYLOAD_MAX_BYTES,
  RECORD_HEAD_BYTES,
  recordChecksum,
} from "@tvix/castore-packs/backend";
import { parseS3Address, type S3Address } from "./address.ts";
import { bindObjects, MARKER } from "./bind-objects.ts";
import { BlockReader, type LentBytes } from "./block-reader.ts";
import { Bucket, type BucketOptions } from "./bucket.ts";
import { ExtentRegistry } from "./extent-registry.ts";
import type { NearBlocks } from "./near-blocks.ts";
import { nameOf } from "./object-names.ts";
import { PackWriter } from "./pack-writer.ts";
import { ABANDONED_MS, removeAbandoned } from "./remove-abandoned.ts";

/** How {@link S3Extents} work. */
export interface S3ExtentsOptions extends BucketOptions {
  /** What all servers agree on: which extents there are. */
  readonly records: RecordStore;
  /** Length after which a pack is complete, in bytes. Default 64 MiB. */
  readonly packBytes?: number;
  /** Bytes that wait for the object store, or are on their way, at the most. Default 64 MiB. */
  readonly heldBytes?: number;
  /** How long a pack waits for more after its last chunk, in milliseconds; longer while others are on their way. Default 5. */
  readonly quietMs?: number;
  /** The same after its first chunk, at the most. Default 1000. */
  readonly lingerMs?: number;
  /** Blocks of objects that are remembered, in bytes. Default 64 MiB. */
  readonly memoryBytes?: number;
  /** Where blocks are kept nearby. Default: nowhere. */
  readonly near?: NearBlocks | undefined;
}

/** How long it is believed that an object is there which was seen there, in milliseconds. */
const SEEN_MS = 600_000;

/** How often it is looked whether the object store answers where nothing has failed, in milliseconds. */
const LOOK_MS = 60_000;

/** The object that is written to see whether that works. */
const PROBE = "probe";

/** Objects that are remembered as seen. */
const SEEN_OBJECTS = 10_000;

/**
 * Extents as objects of an S3-compatible store; each is a pack, of the form that packs have on a disk. Chunks
 * that come together share an object. Any number of processes may use the same.
 */
export class S3Extents implements Extents {
  readonly #bucket: Bucket;
  readonly #registry: ExtentRegistry;
  readonly #writer: PackWriter;
  readonly #reader: BlockReader;
  readonly #near: NearBlocks | undefined;
  /** Lengths of objects that were there, and when, by the clock of the process. */
  readonly #seen: Map<number, { readonly length: number; readonly at: number }> = new Map();
  /** When it was seen last that the object store answers, by the clock of the process. */
  #lookedAt: number = performance.now();
  #closing: Promise<void> | undefined;

  private constructor(bucket: Bucket, registry: ExtentRegistry, options: S3ExtentsOptions) {
    const { packBytes = 64 << 20, heldBytes = 64 << 20, quietMs = 5, lingerMs = 1000 } = options;
    this.#bucket = bucket;
    this.#registry = registry;
    this.#near = options.near;
    const { memoryBytes = 64 << 20, near } = options;
    this.#reader = new BlockReader(bucket, { memoryBytes, near });
    const sizes = { packBytes, heldBytes, quietMs, lingerMs };
    this.#writer = new PackWriter(bucket, registry, sizes, (extent, bytes) =>
      this.#reader.remember(extent, bytes),
    );
  }

  /**
   * Opens the extents below the prefix of a bucket.
   *
   * @throws RangeError for an address that is none
   * @throws CastoreError NOT_A_STORE when the objects there are not those that the records tell of; UNAVAILABLE, STORAGE_FAILURE
   */
  static async open(address: S3Address | string, options: S3ExtentsOptions): Promise<S3Extents> {
    const parsed = typeof address === "string" ? parseS3Address(address) : address;
    const bucket = new Bucket(parsed, options);
    try {
      const registry = new ExtentRegistry(options.records);
      await bindObjects(bucket, options.records, registry, parsed.adopts);
      return new S3Extents(bucket, registry, options);
    } catch (error) {
      bucket.close();
      throw error;
    }
  }

  /** Requests to the object store so far. */
  get requests(): number {
    return this.#bucket.requests;
  }

  append(digest: B3Digest, chunk: FreshlyEncoded): Promise<ExtentLocation> {
    return this.#writer.append(digest, chunk);
  }

  /** Whether the object was there in the last ten minutes, and is long enough. */
  async check(digest: B3Digest, { extent, offset, storedLength }: ExtentLocation): Promise<void> {
    const length = await this.#lengthOf(extent);
    if (length === undefined) throw unreadableChunk(digest, "object is missing");
    if (offset + RECORD_HEAD_BYTES + storedLength > length) {
      throw unreadableChunk(digest, "object ends before the record does");
    }
  }

  read(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    return this.readIntact(digest, location);
  }

  async readIntact(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    this.#checkOpen();
    const { extent, offset, storedLength } = location;
    const length = RECORD_HEAD_BYTES + storedLength;
    const chunk = chunkOf(digest, location, await this.#reader.read(extent, offset, length));
    if (chunk !== undefined) return chunk;
    // It may have been damaged on its way, or nearby.
    await this.#reader.forget(extent, offset, length);
    const record = await this.#reader.read(extent, offset, length);
    const again = chunkOf(digest, location, record);
    if (again !== undefined) return again;
    this.#seen.delete(extent);
    throw unreadableChunk(
      digest,
      record.length === 0 ? "object is missing, or ends before" : "record is damaged",
    );
  }

  /** What is long and lies within a block is not copied. */
  async readManyIntact<T>(
    wanted: readonly ChunkPlacement[],
    use: (found: readonly (EncodedChunk | undefined)[]) => Promise<T>,
  ): Promise<T> {
    this.#checkOpen();
    const lent: LentBytes[] = [];
    const reading = wanted.map(async ({ digest, location }) => {
      const { extent, offset, storedLength } = location;
      const record = await this.#reader.lend(extent, offset, RECORD_HEAD_BYTES + storedLength);
      lent.push(record);
      return chunkOf(digest, location, record.bytes) ?? (await this.#fetchedAnew(digest, location));
    });
    try {
      // Whatever is still on its way when one fails is given back as well.
      await Promise.allSettled(reading);
      return await use(await Promise.all(reading));
    } finally {
      for (const { release } of lent) release();
    }
  }

  /** A chunk that was damaged on its way, or nearby; undefined for one that is not there. */
  async #fetchedAnew(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk | undefined> {
    try {
      return await this.readIntact(digest, location);
    } catch (error) {
      if (CastoreError.is(error) && error.code === "CORRUPT") return undefined;
      throw error;
    }
  }

  async *list(): AsyncGenerator<ExtentInfo, void, undefined> {
    this.#checkOpen();
    for await (const { extent, record } of this.#registry.list()) {
      const { state, length, begun } = record;
      if (state !== "begun") yield { extent, length, begun };
    }
  }

  async *chunksOf(extent: number): AsyncGenerator<FoundChunk, void, undefined> {
    this.#checkOpen();
    for (let offset = 0; ; ) {
      const bytes = await this.#reader.read(extent, offset, RECORD_HEAD_BYTES);
      const head = bytes.length < RECORD_HEAD_BYTES ? undefined : decodeRecordHead(bytes);
      if (head === undefined || head.storedLength > PAYLOAD_MAX_BYTES) return;
      const { digest, encoding, size, storedLength } = head;
      const payload = await this.#reader.read(extent, offset + RECORD_HEAD_BYTES, storedLength);
      if (payload.length < storedLength || recordChecksum(bytes, payload) !== head.checksum) return;
      yield { digest, location: { extent, offset, encoding, size, storedLength } };
      offset += RECORD_HEAD_BYTES + storedLength;
    }
  }

  conditionsOf(extent: number): Promise<readonly RecordCondition[]> {
    return this.#registry.conditionsOf(extent);
  }

  async seal(extent: number): Promise<void> {
    this.#checkOpen();
    // It may be the one that is being filled here.
    await this.#writer.flush();
    await this.#registry.seal(extent);
  }

  async retire(extent: number): Promise<void> {
    await this.seal(extent);
    await this.#bucket.remove(nameOf(extent));
    await this.#registry.remove(extent);
    this.#seen.delete(extent);
    await this.#reader.forgetAll(extent);
  }

  /**
   * Gives back what uploads of any process have left that did not end.
   *
   * @param abandonedMs how long ago they began at least, in milliseconds. Default an hour
   * @returns how many there were
   */
  async removeAbandoned(abandonedMs: number = ABANDONED_MS): Promise<number> {
    this.#checkOpen();
    return await removeAbandoned(this.#bucket, this.#registry, abandonedMs);
  }

  /** Forgets what is kept nearby of extents that others have retired. */
  async refresh(): Promise<void> {
    this.#checkOpen();
    for (const extent of this.#reader.extents()) {
      if ((await this.#registry.find(extent)) === undefined) await this.#reader.forgetAll(extent);
    }
  }

  async recover(): Promise<CastoreError | undefined> {
    this.#checkOpen();
    // It may be asked every second, and each look is a request that costs.
    const isKnown = performance.now() - this.#lookedAt < LOOK_MS;
    if (isKnown && this.#writer.failure === undefined) return undefined;
    try {
      if ((await this.#bucket.lengthOf(MARKER)) === undefined) {
        return new CastoreError("STORAGE_FAILURE", "the objects of this store are not there");
      }
      // Nothing may come to be stored as long as this says that nothing can be.
      if (this.#writer.failure !== undefined) await this.#bucket.put(PROBE, new Uint8Array(1));
      this.#writer.forgive();
      this.#lookedAt = performance.now();
      return undefined;
    } catch (error) {
      if (CastoreError.is(error)) return error;
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    await this.#near?.settle();
    this.#bucket.close();
  }

  async #lengthOf(extent: number): Promise<number | undefined> {
    this.#checkOpen();
    const seen = this.#seen.get(extent);
    if (seen !== undefined && performance.now() - seen.at < SEEN_MS) return seen.length;
    const length = await this.#bucket.lengthOf(nameOf(extent));
    this.#seen.delete(extent);
    if (length !== undefined) this.#seen.set(extent, { length, at: performance.now() });
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= SEEN_OBJECTS) break;
      this.#seen.delete(oldest);
    }
    return length;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new CastoreError("CLOSED", "the store is closed");
  }
}

/** The chunk in a record that is whole; undefined where it is not, or that of another one. */
function chunkOf(digest: B3Digest, location: ExtentLocation, record: Uint8Array): EncodedChunk | undefined {
  const { encoding, size } = location;
  const payload = record.subarray(RECORD_HEAD_BYTES);
  return isIntactRecord(record, digest, location) ? { encoding, size, payload } : undefined;
}
