import { tap } from "@tvix/byte-stream";
import { LRUCache } from "lru-cache";
import type { BlobService, ChunkMeta } from "../blob/blob-service.ts";
import { type ChunkExchange, chunkExchangeOf, MAX_ASKED_DIGESTS } from "../blob/chunk-exchange.ts";
import { DEFAULT_CHUNK_SIZES } from "../chunking/parameters.ts";
import { mapConcurrently } from "../concurrency/map-concurrently.ts";
import { SingleFlight } from "../concurrency/single-flight.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";

/** Blobs that are copied at a time, and chunks of each. */
const BLOBS_AT_ONCE = 16;
const CHUNKS_AT_ONCE = 8;

/** Blobs of up to so many bytes are one chunk; where they are cut into more, little is gained by that. */
const UNCUT_BYTES = BigInt(DEFAULT_CHUNK_SIZES.min);

/** Blobs and chunks that are remembered to have been sent. */
const REMEMBERED = 100_000;

/** A blob that is to be copied. */
export interface CopiedBlob {
  readonly digest: B3Digest;
  /** Its length in bytes, where that is known: nobody need be asked for the chunks of a short one. */
  readonly size?: bigint | undefined;
}

/** Told of the bytes of each blob or chunk that was not there and has been sent. */
export type OnSent = (bytes: number) => void;

/**
 * Copies blobs from one service to another, of which only the chunks travel that are not there yet.
 * What has been copied stays when it is interrupted: the next copy begins behind that.
 */
export class BlobCopier {
  readonly #from: BlobService;
  readonly #to: BlobService;
  readonly #exchange: ChunkExchange;
  readonly #onSent: OnSent;
  readonly #sending = new SingleFlight<void>();
  /** What was sent a while ago: it was missing when somebody asked, and is not any more. */
  readonly #sent = new LRUCache<string, true>({ max: REMEMBERED });

  constructor(from: BlobService, to: BlobService, onSent: OnSent = () => {}) {
    this.#from = from;
    this.#to = to;
    this.#exchange = chunkExchangeOf(to);
    this.#onSent = onSent;
  }

  /**
   * Copies those of some blobs that are not there.
   *
   * @returns how many that were
   * @throws CastoreError INCOMPLETE when one is not in the source either
   */
  async copy(blobs: readonly CopiedBlob[], options: OperationOptions = {}): Promise<number> {
    const sizes = new Map(blobs.map(({ digest, size }) => [digest.key, size]));
    let copied = 0;
    for (const asked of portions(blobs.map(({ digest }) => digest))) {
      const absent = (await this.#exchange.findMissing(asked, options)) ?? asked;
      const copies = mapConcurrently(absent, BLOBS_AT_ONCE, (blob) => {
        const size = sizes.get(blob.key);
        return size !== undefined && size <= UNCUT_BYTES
          ? this.#send(blob, options)
          : this.#copyOne(blob, options);
      });
      for await (const _ of copies) copied++;
    }
    return copied;
  }

  async #copyOne(blob: B3Digest, options: OperationOptions): Promise<void> {
    const chunks = await this.#from.chunks(blob, options);
    if (chunks === undefined) throw missing(blob);
    if (chunks.length > 1 && (await this.#copyByChunks(blob, chunks, options))) return;
    await this.#send(blob, options);
  }

  /** @returns false where it is as good to send the blob as a whole, or nothing else can be done */
  async #copyByChunks(
    blob: B3Digest,
    chunks: readonly ChunkMeta[],
    options: OperationOptions,
  ): Promise<boolean> {
    const all = [...new Map(chunks.map(({ digest }) => [digest.key, digest])).values()];
    for (const asked of portions(all)) {
      const absent = await this.#exchange.findMissing(asked, options);
      if (absent === undefined || absent.length === all.length) return false;
      const sent = mapConcurrently(absent, CHUNKS_AT_ONCE, (chunk) => this.#send(chunk, options));
      for await (const _ of sent);
    }
    return await this.#exchange.assemble(blob, chunks, options);
  }

  /** Sends a blob or a chunk as a whole, once for all who find it missing. */
  async #send(digest: B3Digest, options: OperationOptions): Promise<void> {
    if (this.#sent.has(digest.key)) return;
    await this.#sending.run(
      digest.key,
      (signal) => this.#sendOnce(digest, { ...options, signal }),
      options.signal,
    );
    this.#sent.set(digest.key, true);
  }

  async #sendOnce(digest: B3Digest, options: OperationOptions): Promise<void> {
    const stream = await this.#from.read(digest, options);
    if (stream === undefined) throw missing(digest);
    const found = await this.#to.put(
      tap(stream, ({ length }) => this.#onSent(length)),
      options,
    );
    if (found.equals(digest)) return;
    throw new CastoreError("INVALID_RESPONSE", `${digest} was stored as ${found}`);
  }
}

/** As many as can be asked for at once, and so on. */
function* portions(digests: readonly B3Digest[]): Generator<readonly B3Digest[], void, undefined> {
  for (let start = 0; start < digests.length; start += MAX_ASKED_DIGESTS) {
    yield digests.slice(start, start + MAX_ASKED_DIGESTS);
  }
}

function missing(digest: B3Digest): CastoreError {
  const subject = digest.toString();
  return new CastoreError("INCOMPLETE", `${subject} is not in the store that is copied from`, { subject });
}
