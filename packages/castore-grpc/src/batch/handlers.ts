import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { collect } from "@tvix/byte-stream";
import {
  B3Digest,
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
import { operationOf } from "../caller.ts";
import { toConnectError } from "../status.ts";
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

/** Things of one batch that are read at the same time. */
const READS = 64;

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
  async function answering<T>(
    context: HandlerContext,
    items: readonly Uint8Array[],
    answer: (options: OperationOptions, held: HeldMemory) => Promise<T>,
  ): Promise<T> {
    let held: HeldMemory | undefined;
    try {
      if (items.length > MAX_BATCH_ITEMS) throw tooMany(items.length);
      const options = operationOf(context);
      held = await memory.hold(items.length * ITEM_BYTES, "a batch", options);
      return await answer(options, held);
    } catch (error) {
      throw toConnectError(error, context.signal);
    } finally {
      held?.release();
    }
  }

  return {
    async putBlobs({ blobs }, context) {
      return await answering(context, blobs, async (options) => {
        // All at once: those that become durable together wait once.
        const puts = await Promise.allSettled(
          blobs.map(async (blob) => await blobService.put(blob, options)),
        );
        return { digests: puts.map((put) => fulfilled(put).bytes) };
      });
    },

    async readBlobs({ digests }, context) {
      return await answering(context, digests, async (options, held) => {
        const parsed = parseDigests(digests);
        const together =
          storedBlobs && (await unlessFailed(() => readStored(parsed, storedBlobs, held, options), options));
        if (together !== undefined) return { blobs: together };
        const read = (digest: B3Digest) => readShort(blobService, digest, options);
        return { blobs: await fitting(parsed, read, held, options) };
      });
    },

    async getDirectories({ digests }, context) {
      return await answering(context, digests, async (options, held) => {
        const read = async (digest: B3Digest) => (await directoryService.get(digest, options))?.encode();
        return { directories: await fitting(parseDigests(digests), read, held, options) };
      });
    },
  };
}

/** What can be read of what was asked for, as far as an answer has room. */
async function fitting(
  digests: readonly B3Digest[],
  read: (digest: B3Digest) => Promise<Uint8Array | undefined>,
  held: HeldMemory,
  options: OperationOptions,
): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  let length = 0;
  const contents = mapConcurrently(
    digests,
    READS,
    async (digest) => await unlessFailed(() => read(digest), options),
  );
  for await (const bytes of contents) {
    if (bytes === undefined) continue;
    length += bytes.length;
    if (length > MAX_ANSWER_BYTES) break;
    await held.grow(bytes.length, options);
    found.push(bytes);
  }
  return found;
}

/**
 * What was read; undefined where that failed.
 *
 * @throws CastoreError TOO_BUSY: asking again would not help; the reason of the signal
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
  const stream = await blobs.read(digest, { ...options, sizeHint: MAX_BATCHED_BLOB_BYTES });
  return stream && (await collect(stream, MAX_BATCHED_BLOB_BYTES));
}

function parseDigests(digests: readonly Uint8Array[]): readonly B3Digest[] {
  return digests.map((digest, index) => B3Digest.from(digest, `digests[${index}]`));
}

function fulfilled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

function tooMany(count: number): CastoreError {
  return new CastoreError("TOO_LARGE", `${count} in one batch, the limit is ${MAX_BATCH_ITEMS}`);
}
