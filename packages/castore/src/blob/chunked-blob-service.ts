import type { ByteSource, ByteStream } from "@tvix/byte-stream";
import { ChunkCutter, NOTHING_TO_RELEASE } from "../chunking/cut-chunks.ts";
import { FastCdc } from "../chunking/fastcdc.ts";
import type { ChunkSizes } from "../chunking/parameters.ts";
import type { ChunkStore } from "../chunks/chunk-store.ts";
import { B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { digestsSettling } from "../digest/blake3-in-use.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { ByteBudget } from "../memory-use/byte-budget.ts";
import { type MemoryLedger, UNLIMITED_MEMORY } from "../memory-use/memory-ledger.ts";
import type { OperationOptions } from "../options.ts";
import { untilAborted } from "../unless-aborted.ts";
import type { AssemblingBlobService, BlobAssembly } from "./blob-assembly.ts";
import { type ChunkMeta, MAX_LISTED_CHUNKS, type ReadBlobOptions } from "./blob-service.ts";
import { type ByteRange, clip, toByteRange } from "./byte-range.ts";
import type { ChunkListStore } from "./chunk-list-store.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { FREE_READ_BYTES, holdFound, holdRead } from "./hold-read.ts";
import { READ_AHEAD_BYTES, readChunks } from "./read-chunks.ts";

/** Where a {@link ChunkedBlobService} keeps what. */
export interface ChunkedBlobStorage {
  readonly chunks: ChunkStore;
  readonly lists: ChunkListStore;
  /** Default: 128, 256 and 512 KiB. */
  readonly chunkSizes?: ChunkSizes;
  /** Told of the length of each chunk that is put, whether it is there or not. Default: nobody is. */
  readonly onChunkPut?: ((bytes: number) => void) | undefined;
  /** What puts draw their windows from, and reads their chunks. Default: whatever they need. */
  readonly memory?: MemoryLedger | undefined;
  /** Chunks that one reader has on their way, at most. Default 4; a source that is far wants more. */
  readonly chunksAhead?: number | undefined;
  /** Bytes that all readers together read ahead. Default 8 MiB. */
  readonly readAheadBytes?: number;
  /** Bytes of chunks that the chunk store has not yet taken over, over all puts. Default 6 MiB. */
  readonly inFlightBytes?: number;
}

/**
 * Blobs cut into content-defined chunks. A blob of one chunk has that chunk's digest and
 * needs nothing beside it; longer ones have a list of their chunks.
 */
export class ChunkedBlobService implements AssemblingBlobService {
  readonly #chunks: ChunkStore;
  readonly #lists: ChunkListStore;
  readonly #writer: ChunkWriter;
  readonly #cutter: ChunkCutter;
  readonly #readAhead: ByteBudget;
  readonly #chunksAhead: number | undefined;
  readonly #memory: MemoryLedger;

  constructor(storage: ChunkedBlobStorage) {
    const { chunks, lists, memory = UNLIMITED_MEMORY, readAheadBytes = READ_AHEAD_BYTES } = storage;
    this.#chunks = chunks;
    this.#lists = lists;
    this.#writer = new ChunkWriter(chunks, storage.onChunkPut, storage.inFlightBytes);
    this.#cutter = new ChunkCutter(new FastCdc(storage.chunkSizes));
    this.#readAhead = new ByteBudget(readAheadBytes);
    this.#chunksAhead = storage.chunksAhead;
    this.#memory = memory;
  }

  async has(digest: B3Digest, { signal }: OperationOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    if (digest.equals(EMPTY_DIGEST)) return true;
    return (await this.#lists.claim(digest)) || (await this.#chunks.has(digest));
  }

  async chunks(
    digest: B3Digest,
    { signal }: OperationOptions = {},
  ): Promise<readonly ChunkMeta[] | undefined> {
    signal?.throwIfAborted();
    const count = await this.#lists.count(digest);
    if (count === undefined || count > MAX_LISTED_CHUNKS) return (await this.has(digest)) ? [] : undefined;
    const list: ChunkMeta[] = [];
    for await (const { digest: chunk, size } of this.#lists.read(digest, 0)) {
      list.push({ digest: chunk, size });
    }
    return list;
  }

  async read(digest: B3Digest, options: ReadBlobOptions = {}): Promise<ByteStream | undefined> {
    const range = toByteRange(options);
    options.signal?.throwIfAborted();
    if (digest.equals(EMPTY_DIGEST)) return piecesOf([]);
    if ((await this.#lists.count(digest)) === undefined) {
      return await this.#readSingle(digest, range, options);
    }
    const { signal } = options;
    const list = this.#lists.read(digest, range.start);
    const stream = readChunks(this.#chunks, list, range, {
      signal,
      budget: this.#readAhead,
      chunksAhead: this.#chunksAhead,
    });
    if (options.isAccounted === true) return stream;
    return holdRead(this.#cutter.chunkBytes, stream, { memory: this.#memory, signal });
  }

  put(source: ByteSource, { signal }: OperationOptions = {}): Promise<B3Digest> {
    return source instanceof Uint8Array && source.length <= this.#cutter.uncutLength
      ? this.#putSingle(source, signal)
      : this.#putCut(source, signal);
  }

  assemble(): BlobAssembly {
    const list = this.#lists.write();
    const pending = new PendingWrites();
    let count = 0;
    const addOne = async (digest: B3Digest, bytes: Uint8Array) => {
      // Nobody waits for what is under way: the next step sees that it has failed.
      pending.throwIfFailed();
      await this.#writer.makeRoom(bytes.length);
      pending.add(this.#writer.write(digest, bytes, NOTHING_TO_RELEASE));
      await list.append({ digest, size: bytes.length });
      count++;
    };
    return {
      add: async (digest, bytes) => {
        if (bytes.length <= this.#cutter.chunkBytes) return await addOne(digest, bytes);
        // Somebody else's chunks may be longer than ours ever are.
        for await (const part of this.#cutter.cut(bytes)) await addOne(B3Digest.of(part.bytes), part.bytes);
      },
      commit: async (digest) => {
        await pending.settled();
        pending.throwIfFailed();
        if (count > 1) await list.commit(digest);
        else await list.abort();
      },
      abort: async () => {
        await pending.settled();
        await list.abort();
      },
    };
  }

  async #readSingle(
    digest: B3Digest,
    range: ByteRange,
    { signal, isAccounted = false }: ReadBlobOptions,
  ): Promise<ByteStream | undefined> {
    const bytes = await this.#chunks.read(digest);
    if (bytes === undefined) return undefined;
    const piece = clip(bytes, 0, range);
    if (piece.length === 0) return piecesOf([]);
    if (isAccounted || piece.length <= FREE_READ_BYTES) return piecesOf([piece]);
    const readAgain = async () => {
      const again = await this.#chunks.read(digest);
      if (again === undefined) throw new CastoreError("INCOMPLETE", `chunk ${digest} is not in the store`);
      return clip(again, 0, range);
    };
    return holdFound({ bytes: piece }, readAgain, { memory: this.#memory, signal });
  }

  /** The way of most blobs: short enough to be one chunk for certain. */
  async #putSingle(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<B3Digest> {
    signal?.throwIfAborted();
    if (bytes.length === 0) return EMPTY_DIGEST;
    await digestsSettling();
    const digest = B3Digest.of(bytes);
    await this.#writer.makeRoom(bytes.length);
    await this.#writer.write(digest, bytes, NOTHING_TO_RELEASE);
    return digest;
  }

  async #putCut(source: ByteSource, signal: AbortSignal | undefined): Promise<B3Digest> {
    signal?.throwIfAborted();
    const isStream = !(source instanceof Uint8Array);
    const held = isStream
      ? await this.#memory.hold(this.#cutter.streamBytes, "a put", { signal })
      : undefined;
    const list = this.#lists.write();
    try {
      const mayWait = signal !== undefined && isStream;
      return await this.#putChunks(mayWait ? untilAborted(source, signal) : source, list, signal);
    } catch (error) {
      await list.abort();
      throw error;
    } finally {
      held?.release();
    }
  }

  async #putChunks(
    source: ByteSource,
    list: ReturnType<ChunkListStore["write"]>,
    signal: AbortSignal | undefined,
  ): Promise<B3Digest> {
    const hasher = new BlobHasher();
    const pending = new PendingWrites();
    try {
      for await (const { bytes, more, release } of this.#cutter.cut(source)) {
        signal?.throwIfAborted();
        // Not before it is read: the failure of a stream that nobody reads yet would be nobody's.
        await digestsSettling();
        const digest = hasher.next(bytes, more);
        const size = bytes.length;
        await this.#writer.makeRoom(size);
        pending.add(this.#writer.write(digest, bytes, release));
        await list.append({ digest, size });
        pending.throwIfFailed();
      }
      signal?.throwIfAborted();
    } finally {
      await pending.settled();
    }
    pending.throwIfFailed();
    const { digest, chunkCount } = hasher.finish();
    if (chunkCount > 1) await list.commit(digest);
    return digest;
  }
}

async function* piecesOf(pieces: readonly Uint8Array[]): ByteStream {
  yield* pieces;
}

/** Digests of the chunks of a blob and, where it may have several, of the whole. */
class BlobHasher {
  #only: B3Digest = EMPTY_DIGEST;
  #whole: ReturnType<typeof B3Digest.createHasher> | undefined;
  #chunkCount = 0;

  /** Takes the next chunk and returns its digest. */
  next(bytes: Uint8Array, more: boolean): B3Digest {
    const digest = B3Digest.of(bytes);
    // The digest of a blob of one chunk is that of the chunk.
    if (this.#chunkCount === 0 && more) this.#whole = B3Digest.createHasher();
    if (this.#chunkCount === 0) this.#only = digest;
    this.#whole?.update(bytes);
    this.#chunkCount++;
    return digest;
  }

  finish(): { digest: B3Digest; chunkCount: number } {
    const digest = this.#whole === undefined ? this.#only : B3Digest.finish(this.#whole);
    return { digest, chunkCount: this.#chunkCount };
  }
}

/** Writes under way, of which only the number and the first failure are remembered. */
class PendingWrites {
  #open = 0;
  #failure: { error: unknown } | undefined;
  #onSettled: (() => void) | undefined;

  add(write: Promise<void>): void {
    this.#open++;
    write
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#open--;
        if (this.#open === 0) this.#onSettled?.();
      });
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
  }
}
