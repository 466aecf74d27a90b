import type { ServiceImpl } from "@connectrpc/connect";
import type { AssembleRequest, ChunkExchangeService } from "@tvix/protocol/exchange";
import type { BlobService, ChunkMeta } from "../blob/blob-service.ts";
import { MAX_LISTED_CHUNKS } from "../blob/blob-service.ts";
import { chunkExchangeOf, MAX_ASKED_DIGESTS } from "../blob/chunk-exchange.ts";
import { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { operationOf } from "./caller.ts";
import { untilComplete } from "./request-completeness.ts";
import { toConnectError } from "./status.ts";

/**
 * The ChunkExchangeService over a blob service.
 *
 * A digest of another length than 32 bytes is INVALID_ARGUMENT; too many of them, or a blob of too many
 * chunks, RESOURCE_EXHAUSTED.
 */
export function chunkExchangeHandlers(blobs: BlobService): ServiceImpl<typeof ChunkExchangeService> {
  return {
    async findMissing(request, context) {
      try {
        if (request.digests.length > MAX_ASKED_DIGESTS) throw tooMany("digests", MAX_ASKED_DIGESTS);
        const digests = request.digests.map((digest, index) => B3Digest.from(digest, `digests[${index}]`));
        const missing = await chunkExchangeOf(blobs).findMissing(digests, operationOf(context));
        return { digests: (missing ?? digests).map(({ bytes }) => bytes) };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async assemble(requests, context) {
      try {
        const { digest, chunks } = await parseAssembly(untilComplete(requests, context));
        return { assembled: await chunkExchangeOf(blobs).assemble(digest, chunks, operationOf(context)) };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },
  };
}

/** What is to be put together: of each chunk some 200 bytes are held until that is known. */
async function parseAssembly(
  requests: AsyncIterable<AssembleRequest>,
): Promise<{ digest: B3Digest; chunks: readonly ChunkMeta[] }> {
  let digest: B3Digest | undefined;
  const chunks: ChunkMeta[] = [];
  for await (const request of requests) {
    digest ??= B3Digest.from(request.digest);
    for (const chunk of request.chunks) {
      const where = `chunks[${chunks.length}]`;
      if (chunks.length >= MAX_LISTED_CHUNKS) throw tooMany("chunks", MAX_LISTED_CHUNKS);
      if (chunk.size === 0n || chunk.size > MAX_CHUNK_BYTES) {
        throw new CastoreError(
          "TOO_LARGE",
          `${where}.size: ${chunk.size} is none of 1 to ${MAX_CHUNK_BYTES}`,
        );
      }
      chunks.push({ digest: B3Digest.from(chunk.digest, `${where}.digest`), size: Number(chunk.size) });
    }
  }
  // Without a message there is no digest, which is refused as one of no bytes.
  return { digest: digest ?? B3Digest.from(new Uint8Array(0)), chunks };
}

/** Longest chunk of which a blob is put together, in bytes. */
const MAX_CHUNK_BYTES = 16n << 20n;

function tooMany(what: string, most: number): CastoreError {
  return new CastoreError("TOO_LARGE", `more than ${most} ${what} in one request`);
}
