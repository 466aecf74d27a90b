import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { collect } from "@tvix/byte-stream";
import {
  type B3Digest,
  type BlobService,
  CastoreError,
  type DirectoryService,
  type HeldMemory,
  type MemoryLedger,
  mapConcurrently,
  type OperationOptions,
  type StoredBlobs,
  UNLIMITED_MEMORY,
} from "@tvix/castore";
import type { BatchService } from "@tvix/protocol/batch";
import { afterAnswer, operationOf } from "../caller.ts";
import { toConnectError } from "../status.ts";
import { distinctDigests, join, joinDigests, split } from "./joined.ts";
import { MAX_ANSWER_BYTES, MAX_BATCH_ITEMS, MAX_BATCHED_BLOB_BYTES } from "./limits.ts";
import { readStored } from "./read-stored.ts";

/** What batches are made of. */
export interface BatchedServices {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** The same blobs as they are stored, where all of them are here. */
  readonly storedBlobs?: StoredBlobs | undefined;
  /** What answers draw from while they are put together. Default: whatever they need. */
  readonly memory?: MemoryLedger | undefined;
}

/** Blobs of one batch that are read at the same time. */
const READS = 64;

/** Directories: they may be long, and that is seen only when they have been read. */
const GETS = 16;

/** What a digest, or a blob that is put, takes beside its bytes as long as it is worked on, in bytes. */
const ITEM_BYTES = 300;

/**
 * The BatchService over services for one thing each.
 *
 * A digest of another length than 32 bytes is INVALID_ARGUMENT, more than 1000 things RESOURCE_EXHAUSTED. What cannot be
 * read is left out: whoever asks for it alone is told why. A put that fails tells of the first failure.
 */
export function batchHandlers({
  blobService,
  directoryService,
  storedBlobs,
  memory = UNLIMITED_MEMORY,
}: BatchedServices): ServiceImpl<typeof BatchService> {
  async function answering<I, T>(
    context: HandlerContext,
    parse: () => readonly I[],
    answer: (items: readonly I[], options: OperationOptions, held: HeldMemory) => Promise<T>,
  ): Promise<T> {
    try {
      const items = parse();
      const options = operationOf(context);
      const held = await memory.hold(items.length * ITEM_BYTES, "a batch", options);
      afterAnswer(context, () => held.release());
      return await answer(items, options, held);
    } catch (error) {
      throw toConnectError(error, context.signal);
    }
  }

  return {
    async putBlobs(request, context) {
      const parse = () => split(request, MAX_BATCH_ITEMS);
      return await answering(context, parse, async (blobs, options) => {
        // All at once: those that become durable together wait once.
        const puts = await Promise.allSettled(
          blobs.map(async (blob) => await blobService.put(blob, options)),
        );
        return { digests: joinDigests(puts.map(fulfilled)) };
      });
    },

    async readBlobs(request, context) {
      const parse = () => distinctDigests(request.digests, MAX_BATCH_ITEMS);
      return await answering(context, parse, async (digests, options, held) => {
        const together =
          storedBlobs && (await unlessFailed(() => readStored(digests, storedBlobs, held, options), options));
        if (together !== undefined) return join(together);
        const read = (digest: B3Digest) => readShort(blobService, digest, options);
        return join(await fitting(digests, READS, read, held, options));
      });
    },

    async getDirectories(request, context) {
      const parse = () => distinctDigests(request.digests, MAX_BATCH_ITEMS);
      return await answering(context, parse, async (digests, options, held) => {
        const read = async (digest: B3Digest) => (await directoryService.get(digest, options))?.encode();
        return join(await fitting(digests, GETS, read, held, options));
      });
    },
  };
}

/** What can be read of what was asked for, as far as an answer has room. */
async function fitting(
  digests: readonly B3Digest[],
  atOnce: number,
  read: (digest: B3Digest) => Promise<Uint8Array | undefined>,
  held: HeldMemory,
  options: OperationOptions,
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  let length = 0;
  const contents = mapConcurrently(digests, atOnce, (digest) => unlessFailed(() => read(digest), options));
  for await (const bytes of contents) {
    if (bytes === undefined) continue;
    length += bytes.length;
    // What comes behind it is not even read: it may be long as well.
    if (length > MAX_ANSWER_BYTES) break;
    await held.grow(bytes.length, options);
    found.push(bytes);
  }
  return found;
}

/**
 * What was read; undefined where that failed.
 *
 * @throws CastoreError TOO_BUSY: what comes after it would wait as long; the reason of the signal
 */
async function unlessFailed<T>(read: () => Promise<T>, { signal }: OperationOptions): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    signal?.throwIfAborted();
    if (CastoreError.is(error) && error.code === "TOO_BUSY") throw error;
    return undefined;
  }
}

/** @throws StreamTooLongError for a blob that is no short one */
async function readShort(
  blobs: BlobService,
  digest: B3Digest,
  options: OperationOptions,
): Promise<Uint8Array | undefined> {
  // Accounted for by the batch: who waits for memory twice, holding some, may wait for those who do the same.
  const asked = { ...options, sizeHint: MAX_BATCHED_BLOB_BYTES, isAccounted: true };
  const stream = await blobs.read(digest, asked);
  return stream && (await collect(stream, MAX_BATCHED_BLOB_BYTES));
}

function fulfilled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}
