import { copyBytes } from "@tvix/byte-stream";
import type { EncodedChunk, FreshlyEncoded } from "../chunks/chunk-codec.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import type { ExtentInfo, ExtentLocation, Extents, FoundChunk } from "./extents.ts";
import { unreadableChunk } from "./unreadable-chunk.ts";

/** Length after which the next extent begins, in bytes. */
const EXTENT_BYTES = 1 << 20;

/** What was appended, and where. */
interface Appended extends FoundChunk {
  readonly payload: Uint8Array;
}

/** Extents in memory, for tests and for what need not last. A place is what was appended before it, in bytes. */
export class MemoryExtents implements Extents {
  readonly #extents: Map<number, Map<number, Appended>> = new Map();
  #last = 0;
  #end = EXTENT_BYTES;
  #closed = false;

  async append(digest: B3Digest, chunk: FreshlyEncoded): Promise<ExtentLocation> {
    try {
      this.#checkOpen();
      if (this.#end >= EXTENT_BYTES) {
        this.#extents.set(++this.#last, new Map());
        this.#end = 0;
      }
      const { encoding, size, payload } = chunk;
      const location = {
        extent: this.#last,
        offset: this.#end,
        encoding,
        size,
        storedLength: payload.length,
      };
      this.#extents.get(this.#last)?.set(this.#end, { digest, location, payload: copyBytes(payload) });
      // An empty payload has a place of its own, too.
      this.#end += Math.max(payload.length, 1);
      return location;
    } finally {
      chunk.release();
    }
  }

  check(digest: B3Digest, location: ExtentLocation): void {
    this.#find(digest, location);
  }

  async read(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    const { payload } = this.#find(digest, location);
    return { encoding: location.encoding, size: location.size, payload: copyBytes(payload) };
  }

  async readIntact(digest: B3Digest, location: ExtentLocation): Promise<EncodedChunk> {
    const found = this.#find(digest, location);
    const { encoding, size, storedLength } = found.location;
    const isIt = encoding === location.encoding && size === location.size;
    if (!isIt || storedLength !== location.storedLength || !found.digest.equals(digest)) {
      throw unreadableChunk(digest, "place holds another one");
    }
    return await this.read(digest, location);
  }

  async *list(): AsyncGenerator<ExtentInfo, void, undefined> {
    this.#checkOpen();
    for (const [extent, places] of [...this.#extents]) {
      const length = [...places.values()].reduce((sum, { payload }) => sum + payload.length, 0);
      yield { extent, length };
    }
  }

  async *chunksOf(extent: number): AsyncGenerator<FoundChunk, void, undefined> {
    this.#checkOpen();
    for (const { digest, location } of [...(this.#extents.get(extent)?.values() ?? [])]) {
      yield { digest, location };
    }
  }

  async seal(extent: number): Promise<void> {
    this.#checkOpen();
    if (extent === this.#last) this.#end = EXTENT_BYTES;
  }

  async retire(extent: number): Promise<void> {
    await this.seal(extent);
    this.#extents.delete(extent);
  }

  async recover(): Promise<CastoreError | undefined> {
    this.#checkOpen();
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #find(digest: B3Digest, { extent, offset }: ExtentLocation): Appended {
    this.#checkOpen();
    const found = this.#extents.get(extent)?.get(offset);
    if (found === undefined) throw unreadableChunk(digest, "extent is missing");
    return found;
  }

  #checkOpen(): void {
    if (this.#closed) throw new CastoreError("CLOSED", "the store is closed");
  }
}
