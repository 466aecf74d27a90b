import { type B3Digest, EMPTY_DIGEST } from "../digest/b3-digest.ts";
import { type Directory, filesOf } from "../directory/directory.ts";
import type { Node } from "../directory/node.ts";
import { decodeDirectory } from "../directory/parse.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { OperationOptions } from "../options.ts";
import { RecordChunkListStore } from "../records/chunk-list-store.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CHUNK_LISTS, CHUNKS, type Content, DIRECTORIES } from "../records/tables.ts";
import type { LiveSet } from "./live-set.ts";
import { storedBytes } from "./sizes.ts";

/** Marks that are gathered before they are added. */
const TOGETHER = 1024;

/** How contents are marked. */
export interface MarkerOptions extends OperationOptions {
  /** Whether {@link Marker.storedBytes} is wanted, which takes a look-up for each chunk. Default false. */
  readonly counts?: boolean;
  /** Whether what cannot be read is marked without what is below it. Default: then marking fails. */
  readonly skipsUnreadable?: boolean;
}

/**
 * Marks contents, and all that is below them, as reachable. What is not there is passed over: a path info
 * may be kept whose contents are elsewhere.
 */
export class Marker {
  readonly #records: RecordStore;
  readonly #lists: RecordChunkListStore;
  readonly #live: LiveSet;
  readonly #signal: AbortSignal | undefined;
  readonly #counts: boolean;
  readonly #skipsUnreadable: boolean;
  #storedBytes = 0;

  constructor(
    records: RecordStore,
    live: LiveSet,
    { signal, counts = false, skipsUnreadable = false }: MarkerOptions = {},
  ) {
    this.#counts = counts;
    this.#skipsUnreadable = skipsUnreadable;
    this.#records = records;
    this.#lists = new RecordChunkListStore(records);
    this.#live = live;
    this.#signal = signal;
  }

  /** Bytes that the chunks take which were marked, each counted once. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /**
   * Marks a node and everything below it.
   *
   * @throws CastoreError CORRUPT, INCOMPLETE when a directory or a chunk list cannot be read: nobody knows what is
   *   below it, so nothing can be told from garbage
   */
  async node(node: Node): Promise<void> {
    if (node.type === "directory") await this.#directories(node.digest);
    else if (node.type === "file") await this.blobs([node.digest]);
  }

  /** Marks blobs, with their chunks. @throws as {@link node} */
  async blobs(digests: readonly B3Digest[]): Promise<void> {
    for (let start = 0; start < digests.length; start += TOGETHER) {
      await this.#blobs(digests.slice(start, start + TOGETHER));
    }
  }

  /** Whether it is one chunk or has a list, both marks are set: the one that nobody needs does no harm. */
  async #blobs(digests: readonly B3Digest[]): Promise<void> {
    this.#signal?.throwIfAborted();
    const blobs = digests
      .filter((digest) => !digest.equals(EMPTY_DIGEST))
      .map((digest) => ({ kind: "blob", digest }) as const);
    const known = await this.#live.hasMany(blobs);
    const fresh = blobs.filter((_, index) => known[index] === false);
    const lists = await this.#records.getMany(fresh.map(({ digest }) => CHUNK_LISTS.keyOf(digest)));
    await this.#live.add(fresh);
    await this.#chunks(fresh.map(({ digest }) => digest));
    for (const [index, { digest }] of fresh.entries()) {
      if (lists[index] !== undefined) await this.#readable(() => this.#listUnlessGone(digest));
    }
  }

  /** Somebody who removes it may come between: then it is passed over like what was not there. */
  async #listUnlessGone(digest: B3Digest): Promise<void> {
    try {
      await this.#list(digest);
    } catch (error) {
      if (await CHUNK_LISTS.has(this.#records, digest)) throw error;
    }
  }

  async #list(digest: B3Digest): Promise<void> {
    let chunks: B3Digest[] = [];
    for await (const chunk of this.#lists.read(digest, 0)) {
      chunks.push(chunk.digest);
      if (chunks.length < TOGETHER) continue;
      this.#signal?.throwIfAborted();
      await this.#chunks(chunks);
      chunks = [];
    }
    await this.#chunks(chunks);
  }

  async #chunks(digests: readonly B3Digest[]): Promise<void> {
    const chunks = digests.map((digest) => ({ kind: "chunk", digest }) as const);
    if (this.#counts) await this.#count(chunks);
    await this.#live.add(chunks);
  }

  async #count(chunks: readonly Content[]): Promise<void> {
    const known = await this.#live.hasMany(chunks);
    const fresh = new Map(
      chunks.filter((_, index) => known[index] === false).map(({ digest }) => [digest.key, digest]),
    );
    const digests = [...fresh.values()];
    const found = await this.#records.getMany(digests.map((digest) => CHUNKS.keyOf(digest)));
    for (const [index, digest] of digests.entries()) {
      const record = found[index];
      if (record !== undefined) this.#storedBytes += storedBytes(digest, record);
    }
  }

  /** Depth first, so that what waits is what lies beside the way to one directory. */
  async #directories(root: B3Digest): Promise<void> {
    const waiting = await this.#unseen([root]);
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
      this.#signal?.throwIfAborted();
      const directory = await this.#readable(() => this.#read(digest));
      if (directory === undefined) continue;
      await this.blobs(filesOf(directory));
      const children = [...directory.children()].map(({ node }) => node.digest);
      for (const child of await this.#unseen(children)) waiting.push(child);
    }
  }

  async #readable<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      const isDamaged = CastoreError.is(error) && ["CORRUPT", "INCOMPLETE"].includes(error.code);
      if (this.#skipsUnreadable && isDamaged) return undefined;
      throw error;
    }
  }

  /** Those of some directories that had not been seen; from then on they have. */
  async #unseen(digests: readonly B3Digest[]): Promise<B3Digest[]> {
    const contents = digests.map((digest) => ({ kind: "directory", digest }) as const);
    const known = await this.#live.hasMany(contents);
    const fresh = contents.filter((_, index) => known[index] === false);
    await this.#live.add(fresh);
    return fresh.map(({ digest }) => digest);
  }

  async #read(digest: B3Digest): Promise<Directory | undefined> {
    const encoded = await DIRECTORIES.get(this.#records, digest);
    return encoded === undefined ? undefined : decodeDirectory(encoded, digest);
  }
}
