import type { ServiceImpl } from "@connectrpc/connect";
import {
  B3Digest,
  type BlobService,
  CastoreError,
  type ChunkMeta,
  chunkExchangeOf,
  type HeldMemory,
  MAX_ASKED_DIGESTS,
  MAX_LISTED_CHUNKS,
  type MemoryLedger,
  type OperationOptions,
  UNLIMITED_MEMORY,
} from "@tvix/castore";
import type { AssembleRequest, ChunkExchangeService } from "@tvix/protocol/exchange";
import { operationOf } from "./caller.ts";
import { untilComplete } from "./request-completeness.ts";
import { toConnectError } from "./status.ts";

/**
 * The ChunkExchangeService over a blob service.
 *
 * A digest of another length than 32 bytes is INVALID_ARGUMENT; too many of them, or a blob of too many
 * chunks, RESOURCE_EXHAUSTED.
 */
export function chunkExchangeHandlers(
  blobs: BlobService,
  memory: MemoryLedger = UNLIMITED_MEMORY,
): ServiceImpl<typeof ChunkExchangeService> {
  const exchange = chunkExchangeOf(blobs);
  return {
    async findMissing(request, context) {
      let held: HeldMemory | undefined;
      try {
        if (request.digests.length > MAX_ASKED_DIGESTS) throw tooMany("digests", MAX_ASKED_DIGESTS);
        const options = operationOf(context);
        held = await memory.hold(request.digests.length * DIGEST_BYTES, "a list of digests", options);
        const digests = request.digests.map((digest, index) => B3Digest.from(digest, `digests[${index}]`));
        const missing = await exchange.findMissing(digests, options);
        return { digests: (missing ?? digests).map(({ bytes }) => bytes) };
      } catch (error) {
        throw toConnectError(error, context.signal);
      } finally {
        held?.release();
      }
    },

    async assemble(requests, context) {
      let held: HeldMemory | undefined;
      try {
        const options = operationOf(context);
        held = await memory.hold(0, "a list of chunks", options);
        const { digest, chunks } = await parseAssembly(untilComplete(requests, context), held, options);
        return { assembled: await exchange.assemble(digest, chunks, options) };
      } catch (error) {
        throw toConnectError(error, context.signal);
      } finally {
        held?.release();
      }
    },
  };
}

/** What each digest of a list takes, in bytes, as long as it is worked on. */
const DIGEST_BYTES = 300;

/** What is to be put together, all of which is held until it has been. */
async function parseAssembly(
  requests: AsyncIterable<AssembleRequest>,
  held: HeldMemory,
  options: OperationOptions,
): Promise<{ digest: B3Digest; chunks: readonly ChunkMeta[] }> {
  let digest: B3Digest | undefined;
  const chunks: ChunkMeta[] = [];
  let total = 0n;
  let longest = 0;
  for await (const request of requests) {
    digest ??= B3Digest.from(request.digest);
    await held.grow(request.chunks.length * DIGEST_BYTES, options);
    for (const chunk of request.chunks) {
      const where = `chunks[${chunks.length}]`;
      if (chunks.length >= MAX_LISTED_CHUNKS) throw tooMany("chunks", MAX_LISTED_CHUNKS);
      if (chunk.size === 0n || chunk.size > MAX_CHUNK_BYTES) {
        throw new CastoreError(
          "TOO_LARGE",
          `${where}.size: ${chunk.size} is none of 1 to ${MAX_CHUNK_BYTES}`,
        );
      }
      total += chunk.size;
      if (total > MAX_BLOB_BYTES)
        throw new CastoreError("TOO_LARGE", `more than ${MAX_BLOB_BYTES} bytes in one blob`);
      if (Number(chunk.size) > longest) {
        // One is read ahead whatever all of them together hold.
        await held.grow(Number(chunk.size) - longest, options);
        longest = Number(chunk.size);
      }
      chunks.push({ digest: B3Digest.from(chunk.digest, `${where}.digest`), size: Number(chunk.size) });
    }
  }
  // Without a message there is no digest, which is refused as one of no bytes.
  return { digest: digest ?? B3Digest.from(new Uint8Array(0)), chunks };
}

/** Longest blob that is put together, in bytes: 100,000 of our longest chunks. */
const MAX_BLOB_BYTES = 50n << 30n;

/** Longest chunk of which a blob is put together, in bytes. */
const MAX_CHUNK_BYTES = 16n << 20n;

function tooMany(what: string, most: number): CastoreError {
  return new CastoreError("TOO_LARGE", `more than ${most} ${what} in one request`);
}
