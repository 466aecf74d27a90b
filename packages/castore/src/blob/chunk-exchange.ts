import type { ByteStream } from "@tvix/byte-stream";
import { mapConcurrently } from "../concurrency/map-concurrently.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { digestsSettling } from "../digest/blake3-in-use.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { ByteBudget } from "../memory-use/byte-budget.ts";
import type { OperationOptions } from "../options.ts";
import { canAssemble } from "./blob-assembly.ts";
import type { BlobService, ChunkMeta } from "./blob-service.ts";
import { collectChunk } from "./collect-chunk.ts";
import { placeChunks } from "./place-chunks.ts";
import { READ_AHEAD_BYTES, type ReadChunk, readWholeChunks } from "./read-chunks.ts";

/** Most digests that are asked for at once: 320 KB. */
export const MAX_ASKED_DIGESTS = 10_000;

/**
 * What lets somebody store blobs of which they send only what is not there: they ask what that is, put the
 * chunks, each of which is a blob, and have the blob put together of them.
 */
export interface ChunkExchange {
  /**
   * Those of some blobs and chunks that are not there, in their order; undefined where nobody can be
   * asked for many at once.
   *
   * @param digests up to {@link MAX_ASKED_DIGESTS}
   */
  findMissing(
    digests: readonly B3Digest[],
    options?: OperationOptions,
  ): Promise<readonly B3Digest[] | undefined>;

  /**
   * Makes a blob of chunks that are there; they are read and compared with the digest.
   *
   * @returns false when a chunk is not there
   * @throws CastoreError INVALID_DIGEST when the chunks make another blob, or have other sizes
   */
  assemble(digest: B3Digest, chunks: readonly ChunkMeta[], options?: OperationOptions): Promise<boolean>;
}

/** Blobs that have a {@link ChunkExchange} of their own. */
export interface ExchangingBlobService extends BlobService {
  readonly chunkExchange: ChunkExchange;
}

/** The exchange of a blob service: its own, or one that does with it what it can. */
export function chunkExchangeOf(blobs: BlobService): ChunkExchange {
  return "chunkExchange" in blobs
    ? (blobs as ExchangingBlobService).chunkExchange
    : new LocalChunkExchange(blobs);
}

/** Digests that are looked up at a time. */
const LOOK_UPS = 64;

/** A {@link ChunkExchange} over any blob service. */
class LocalChunkExchange implements ChunkExchange {
  readonly #blobs: BlobService;
  readonly #readAhead = new ByteBudget(READ_AHEAD_BYTES);

  constructor(blobs: BlobService) {
    this.#blobs = blobs;
  }

  async findMissing(
    digests: readonly B3Digest[],
    options: OperationOptions = {},
  ): Promise<readonly B3Digest[]> {
    const missing: B3Digest[] = [];
    const looked = mapConcurrently(digests, LOOK_UPS, async (digest) => ({
      digest,
      isThere: await this.#blobs.has(digest, options),
    }));
    for await (const { digest, isThere } of looked) if (!isThere) missing.push(digest);
    return missing;
  }

  async assemble(
    digest: B3Digest,
    chunks: readonly ChunkMeta[],
    options: OperationOptions = {},
  ): Promise<boolean> {
    try {
      await this.#assemble(digest, chunks, options);
      return true;
    } catch (error) {
      if (CastoreError.is(error) && error.code === "INCOMPLETE") return false;
      throw error;
    }
  }

  async #assemble(digest: B3Digest, chunks: readonly ChunkMeta[], options: OperationOptions): Promise<void> {
    const read = this.#read(chunks, options);
    if (!canAssemble(this.#blobs)) {
      const found = await this.#blobs.put(bytesOf(read), options);
      if (!found.equals(digest)) throw otherBlob(digest, found);
      return;
    }
    const assembly = this.#blobs.assemble();
    try {
      await digestsSettling();
      const hasher = B3Digest.createHasher();
      for await (const { chunk, bytes } of read) {
        hasher.update(bytes);
        await assembly.add(chunk.digest, bytes);
      }
      const found = B3Digest.finish(hasher);
      if (!found.equals(digest)) throw otherBlob(digest, found);
      await assembly.commit(digest);
    } catch (error) {
      await assembly.abort();
      throw error;
    }
  }

  #read(
    chunks: readonly ChunkMeta[],
    { signal }: OperationOptions,
  ): AsyncGenerator<ReadChunk, void, undefined> {
    const source = {
      read: async (chunk: B3Digest, size: number) => {
        const stream = await this.#blobs.read(chunk, { signal, isAccounted: true });
        return stream && (await ofSize(chunk, size, stream));
      },
    };
    return readWholeChunks(source, placeChunks(chunks, 0), { signal, budget: this.#readAhead });
  }
}

async function* bytesOf(chunks: AsyncIterable<ReadChunk>): ByteStream {
  for await (const { bytes } of chunks) yield bytes;
}

/** A chunk with the size that it is listed with; another one is no damage, but a wrong list. */
async function ofSize(digest: B3Digest, size: number, stream: ByteStream): Promise<Uint8Array> {
  const bytes = await collectChunk(size, stream);
  if (bytes.length === size) return bytes;
  const subject = digest.toString();
  throw new CastoreError("INVALID_DIGEST", `chunk ${subject} has not the ${size} bytes that are listed`, {
    subject,
  });
}

function otherBlob(digest: B3Digest, found: B3Digest): CastoreError {
  const subject = digest.toString();
  return new CastoreError("INVALID_DIGEST", `the chunks of ${subject} make blob ${found}`, { subject });
}
