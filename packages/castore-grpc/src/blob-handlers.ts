import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { rechunk } from "@tvix/byte-stream";
import { B3Digest, type BlobService } from "@tvix/castore";
import type { BlobService as BlobServiceDesc } from "@tvix/protocol/tvix/castore";
import { operationOf } from "./caller.ts";
import { untilComplete } from "./request-completeness.ts";
import { toConnectError } from "./status.ts";

/** Longest piece that one message holds that goes through Connect, in bytes; framed calls send twice as much. */
export const SENT_PIECE_BYTES: number = 256 << 10;

/**
 * The BlobService of the protocol over one of ours.
 *
 * A digest of another length than 32 bytes is INVALID_ARGUMENT, an unknown one NOT_FOUND,
 * damage DATA_LOSS. The list of chunks is sent whether it was asked for or not.
 */
export function blobHandlers(blobs: BlobService): ServiceImpl<typeof BlobServiceDesc> {
  return {
    async stat(request, context) {
      try {
        const digest = B3Digest.from(request.digest);
        const chunks = await blobs.chunks(digest, operationOf(context));
        if (chunks === undefined) throw blobNotFound(digest);
        // Whoever asks may rely on it and not send the blob: so it is said to be wanted. Where that cannot be written, it can be read.
        if (chunks.length > 0) await blobs.has(digest, operationOf(context));
        return {
          chunks: chunks.map(({ digest: chunk, size }) => ({ digest: chunk.bytes, size: BigInt(size) })),
        };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async *read(request, context) {
      try {
        const digest = B3Digest.from(request.digest);
        const stream = await blobs.read(digest, operationOf(context));
        if (stream === undefined) throw blobNotFound(digest);
        for await (const piece of stream) {
          for await (const data of rechunk(piece, SENT_PIECE_BYTES)) yield { data };
        }
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async put(requests, context) {
      try {
        const digest = await blobs.put(dataOf(untilComplete(requests, context)), operationOf(context));
        return { digest: digest.bytes };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },
  };
}

/** The status for a blob that is not there. */
export function blobNotFound(digest: B3Digest): ConnectError {
  return new ConnectError(`blob ${digest} not found`, Code.NotFound);
}

async function* dataOf(messages: AsyncIterable<{ data: Uint8Array }>): AsyncIterable<Uint8Array> {
  for await (const { data } of messages) yield data;
}
