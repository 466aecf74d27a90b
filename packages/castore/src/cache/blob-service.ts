import type { ByteSource, ByteStream } from "@tvix/byte-stream";
import { copyBytes } from "@tvix/byte-stream";
import { canAssemble } from "../blob/blob-assembly.ts";
import type { BlobService, ChunkMeta, ReadBlobOptions } from "../blob/blob-service.ts";
import { type ByteRange, toByteRange } from "../blob/byte-range.ts";
import { collectChunk } from "../blob/collect-chunk.ts";
import { holdRead } from "../blob/hold-read.ts";
import { placeChunks } from "../blob/place-chunks.ts";
import { readChunks, readWholeChunks } from "../blob/read-chunks.ts";
import { ChunkCutter } from "../chunking/cut-chunks.ts";
import { FastCdc } from "../chunking/fastcdc.ts";
import { firstFound } from "../concurrency/first-found.ts";
import { SingleFlight } from "../concurrency/single-flight.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import type { CastoreError } from "../errors/castore-error.ts";
import { isFailureOfService } from "../errors/failure-of-service.ts";
import { ByteBudget } from "../memory-use/byte-budget.ts";
import { type MemoryLedger, UNLIMITED_MEMORY } from "../memory-use/memory-ledger.ts";
import type { OperationOptions } from "../options.ts";
import type { CacheOptions } from "./cache-options.ts";
import { type FetchedChunk, listedChunks } from "./fetched-chunk.ts";
import { keepBlob } from "./keep-blob.ts";
import { NearFailures } from "./near-failures.ts";

/** How a {@link CacheBlobService} behaves. */
export interface CacheBlobOptions extends CacheOptions {
  /** Chunks that one reader asks the far service for at a time. Default 16: some 4 MiB on the way. */
  readonly chunksAhead?: number | undefined;
  /** Bytes that all readers together have read ahead. Default 32 MiB. */
  readonly readAheadBytes?: number | undefined;
}

const CHUNKS_AHEAD = 16;
const READ_AHEAD_BYTES = 32 << 20;

/** Longest chunk that is taken from the far service, in bytes. */
const CHUNK_MAX_BYTES = 16 << 20;

/**
 * A near service in front of a far one. A blob that is not near is read chunk by chunk: those that are
 * near come from there, whatever blob has brought them, the others from the far one. What was read is
 * near from then on; a blob that was read as a whole is a blob there.
 *
 * Puts go to the far service unless told otherwise. What is damaged near is fetched again, also in the
 * middle of a blob: each chunk is compared with its digest, so what was passed on by then was right.
 * Where the near service takes nothing, blobs are passed on without being kept.
 */
export class CacheBlobService implements BlobService {
  readonly #near: BlobService;
  readonly #far: BlobService;
  readonly #target: BlobService;
  readonly #chunksAhead: number;
  readonly #readAhead: ByteBudget;
  readonly #memory: MemoryLedger;
  readonly #failures: NearFailures;
  readonly #cutter = new ChunkCutter(new FastCdc());
  readonly #fetching = new SingleFlight<Uint8Array | undefined>();

  constructor(near: BlobService, far: BlobService, options: CacheBlobOptions = {}) {
    this.#near = near;
    this.#far = far;
    this.#target = options.writes === "near" ? near : far;
    this.#chunksAhead = options.chunksAhead ?? CHUNKS_AHEAD;
    this.#readAhead = new ByteBudget(options.readAheadBytes ?? READ_AHEAD_BYTES);
    this.#memory = options.memory ?? UNLIMITED_MEMORY;
    this.#failures = new NearFailures(options.onNearFailure);
  }

  async has(digest: B3Digest, options: OperationOptions = {}): Promise<boolean> {
    const found = await this.#first(async (service) => (await service.has(digest, options)) || undefined);
    return found === true;
  }

  async chunks(digest: B3Digest, options: OperationOptions = {}): Promise<readonly ChunkMeta[] | undefined> {
    return await this.#first((service) => service.chunks(digest, options));
  }

  async put(source: ByteSource, options: OperationOptions = {}): Promise<B3Digest> {
    return await this.#target.put(source, options);
  }

  async read(digest: B3Digest, options: ReadBlobOptions = {}): Promise<ByteStream | undefined> {
    const range = toByteRange(options);
    const { signal } = options;
    return await firstFound(
      [
        async () => {
          const near = await this.#near.read(digest, options);
          return near && this.#mending(near, digest, range, signal);
        },
        () => this.#readFar(digest, range, signal),
      ],
      isFailureOfService,
    );
  }

  async #first<T>(ask: (service: BlobService) => Promise<T | undefined>): Promise<T | undefined> {
    return await firstFound([() => ask(this.#near), () => ask(this.#far)], isFailureOfService);
  }

  /** What is near; from the chunk on that proves to be damaged, the same from afar. */
  async *#mending(
    near: ByteStream,
    digest: B3Digest,
    { start, end }: ByteRange,
    signal: AbortSignal | undefined,
  ): ByteStream {
    let position = start;
    let damage: unknown;
    try {
      for await (const piece of near) {
        position += piece.length;
        yield piece;
      }
      return;
    } catch (error) {
      // Who has found no memory here adds nothing to that by asking elsewhere.
      if (!isFailureOfService(error) || (error as CastoreError).code === "TOO_BUSY") throw error;
      damage = error;
    }
    const rest = await this.#readFar(digest, { start: position, end }, signal);
    if (rest === undefined) throw damage;
    this.#failures.damaged(damage);
    yield* rest;
  }

  async #readFar(
    digest: B3Digest,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): Promise<ByteStream | undefined> {
    const chunks = await this.#far.chunks(digest, { signal });
    if (chunks === undefined) return undefined;
    const hold = { memory: this.#memory, signal };
    if (chunks.length > 0 && chunks.every(({ size }) => size <= CHUNK_MAX_BYTES)) {
      return holdRead(this.#cutter.chunkBytes, this.#readListed(digest, chunks, range, signal), hold);
    }
    const isWhole = range.start === 0 && range.end === Number.POSITIVE_INFINITY;
    const stream = await this.#far.read(digest, { signal, ...partOf(range) });
    if (stream === undefined || !isWhole || !canAssemble(this.#near) || !this.#failures.mayKeep)
      return stream;
    const cut = this.#cut(stream);
    return holdRead(this.#cutter.streamBytes, keepBlob(digest, cut, this.#near, this.#failures), hold);
  }

  /** A blob, or a part of one, by its chunks. */
  #readListed(
    digest: B3Digest,
    chunks: readonly ChunkMeta[],
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): ByteStream {
    const isWhole = range.start === 0 && range.end === Number.POSITIVE_INFINITY;
    const assembles = isWhole && canAssemble(this.#near) && this.#failures.mayKeep;
    const source = {
      read: (chunk: B3Digest, size: number) => this.#readChunk({ digest: chunk, size }, !assembles, signal),
    };
    const options = { signal, budget: this.#readAhead, chunksAhead: this.#chunksAhead };
    if (!isWhole) return readChunks(source, placeChunks(chunks, range.start), range, options);
    const whole = readWholeChunks(source, placeChunks(chunks, 0), options);
    const compared = listedChunks(digest, whole, chunks.length);
    return assembles && canAssemble(this.#near)
      ? keepBlob(digest, compared, this.#near, this.#failures)
      : bytesOf(compared);
  }

  /** A chunk from wherever it is, once for all who read it now. */
  async #readChunk(
    chunk: ChunkMeta,
    keep: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    return await this.#fetching.run(
      chunk.digest.key,
      async (fetching) => {
        const near = await this.#failures.orAbsent(() => wholeChunk(this.#near, chunk, fetching));
        if (near !== undefined) return near;
        const bytes = await wholeChunk(this.#far, chunk, fetching);
        if (bytes !== undefined && keep && this.#failures.mayKeep) await this.#putNear(bytes, fetching);
        return bytes;
      },
      signal,
    );
  }

  async #putNear(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await this.#near.put(bytes, { signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#failures.notKept(error);
    }
  }

  /** A blob for which there is no list, cut as it would be if it were put. The far service has compared it. */
  async *#cut(stream: ByteStream): AsyncGenerator<FetchedChunk, void, undefined> {
    for await (const { bytes, more, release } of this.#cutter.cut(stream)) {
      const own = copyBytes(bytes);
      release();
      yield { digest: B3Digest.of(own), bytes: own, isLast: !more };
    }
  }
}

async function wholeChunk(
  service: BlobService,
  { digest, size }: ChunkMeta,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  // The reader of the blob holds memory for a chunk.
  const stream = await service.read(digest, { signal, isAccounted: true });
  return stream && (await collectChunk(size, stream));
}

function partOf({ start, end }: ByteRange): ReadBlobOptions {
  return end === Number.POSITIVE_INFINITY ? { offset: start } : { offset: start, length: end - start };
}

async function* bytesOf(chunks: AsyncIterable<FetchedChunk>): ByteStream {
  for await (const { bytes } of chunks) yield bytes;
}
