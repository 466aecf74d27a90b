import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { copyBytes } from "@tvix/byte-stream";
import {
  B3_DIGEST_LENGTH,
  B3Digest,
  type ChunkExchange,
  type Directory,
  decodeDirectory,
} from "@tvix/castore";
import { BatchService } from "@tvix/protocol/batch";
import { Gathering } from "./gathering.ts";
import { type Joined, join, joinDigests, split, splitDigests } from "./joined.ts";
import { MAX_BATCH_ITEMS, MAX_BATCHED_BLOB_BYTES } from "./limits.ts";

/** Bytes of blobs that one batch carries, unless one alone has more: several fit a window of HTTP/2. */
const BATCH_BYTES = 1 << 20;

/** What a directory is taken to have, in bytes: most have less. */
const DIRECTORY_BYTES = 4 << 10;

/** Whether a blob is one of those that are put and read in batches. */
export function isBatched(size: number | undefined): size is number {
  return size !== undefined && size <= MAX_BATCHED_BLOB_BYTES;
}

/** Blobs of a peer that are short, many at once. Peers other than ours know no batches: they are asked for one by one. */
export class BatchedBlobs {
  readonly #looks: Gathering<B3Digest, boolean>;
  readonly #puts: Gathering<Uint8Array, B3Digest>;
  readonly #reads: Gathering<{ readonly digest: B3Digest; readonly size: number }, Uint8Array>;

  /** @param exchange of the same peer, which is asked what it has */
  constructor(transport: Transport, exchange: ChunkExchange) {
    const client = createClient(BatchService, transport);
    this.#looks = new Gathering({
      ask: async (digests, signal) => {
        const missing = await exchange.findMissing(digests, { signal });
        if (missing === undefined) return undefined;
        const keys = new Set(missing.map(({ key }) => key));
        return digests.map(({ key }) => !keys.has(key));
      },
      bytesOf: () => B3_DIGEST_LENGTH,
      maxItems: MAX_BATCH_ITEMS,
      maxBytes: BATCH_BYTES,
    });
    this.#puts = new Gathering({
      ask: async (blobs, signal) =>
        await unlessUnknown(async () => {
          const stored = splitDigests((await client.putBlobs(join(blobs), { signal })).digests);
          const expected = blobs.map((bytes) => B3Digest.of(bytes));
          // One that says something else is asked alone what it means.
          return expected.map((digest, index) => (stored[index]?.equals(digest) ? digest : undefined));
        }),
      bytesOf: ({ length }) => length,
      maxItems: MAX_BATCH_ITEMS,
      maxBytes: BATCH_BYTES,
    });
    this.#reads = new Gathering({
      ask: async (blobs, signal) => {
        const digests = blobs.map(({ digest }) => digest);
        return await askByDigest(digests, async (asked) => {
          return await client.readBlobs({ digests: asked }, { signal });
        });
      },
      bytesOf: ({ size }) => size,
      maxItems: MAX_BATCH_ITEMS,
      maxBytes: BATCH_BYTES,
    });
  }

  /** Whether a blob is there, asked for together with others where there are some. */
  async has(
    digest: B3Digest,
    alone: () => Promise<boolean>,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    return await this.#looks.run(digest, alone, signal);
  }

  /**
   * Stores a blob, together with others where there are some.
   *
   * @param bytes must stay as they are until the promise is settled
   * @param alone stores it alone
   * @returns its digest, which the peer has named too
   */
  async put(
    bytes: Uint8Array,
    alone: () => Promise<B3Digest>,
    signal: AbortSignal | undefined,
  ): Promise<B3Digest> {
    return await this.#puts.run(bytes, alone, signal);
  }

  /**
   * The bytes of a blob, compared with its digest; or what reading it alone has brought.
   *
   * @param size that it is supposed to have
   */
  async read<A>(
    digest: B3Digest,
    size: number,
    alone: () => Promise<A>,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | A> {
    return await this.#reads.run({ digest, size }, alone, signal);
  }
}

/** Directories of a peer, many at once, where it knows how. */
export class BatchedDirectories {
  readonly #gets: Gathering<B3Digest, Directory>;

  constructor(transport: Transport) {
    const client: Client<typeof BatchService> = createClient(BatchService, transport);
    this.#gets = new Gathering({
      ask: async (digests, signal) => {
        const found = await askByDigest(digests, async (asked) => {
          return await client.getDirectories({ digests: asked }, { signal });
        });
        return found?.map(
          (encoded, index) => encoded && decodeDirectory(encoded, digests[index] as B3Digest),
        );
      },
      bytesOf: () => DIRECTORY_BYTES,
      maxItems: MAX_BATCH_ITEMS,
      maxBytes: BATCH_BYTES,
    });
  }

  /** A directory; or what asking for it alone has brought. */
  async get<A>(
    digest: B3Digest,
    alone: () => Promise<A>,
    signal: AbortSignal | undefined,
  ): Promise<Directory | A> {
    return await this.#gets.run(digest, alone, signal);
  }
}

/** What a peer sends of what it is asked for, each where its digest stands; undefined where it knows no batches. */
async function askByDigest(
  digests: readonly B3Digest[],
  ask: (digests: Uint8Array) => Promise<Joined>,
): Promise<readonly (Uint8Array | undefined)[] | undefined> {
  return await unlessUnknown(async () => {
    const distinct = new Map(digests.map((digest) => [digest.key, digest]));
    const parts = split(await ask(joinDigests(distinct.values())), distinct.size);
    // Copied: whoever remembers one of them would hold on to the whole answer.
    const found = new Map(parts.map((bytes) => [B3Digest.of(bytes).key, copyBytes(bytes)]));
    return digests.map(({ key }) => found.get(key));
  });
}

/** What a call brings; undefined where the peer does not know it. */
async function unlessUnknown<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unimplemented) return undefined;
    throw error;
  }
}
