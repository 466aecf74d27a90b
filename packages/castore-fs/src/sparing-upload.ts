import type { ByteStream } from "@tvix/byte-stream";
import {
  B3Digest,
  type BlobService,
  ChunkCutter,
  type ExchangingBlobService,
  FastCdc,
  type OperationOptions,
} from "@tvix/castore";
import { digestsSettling } from "@tvix/castore/backend";

/** When so many, one after the other, were not there, of the next ones only one in so many is asked for. */
const PATIENCE = 256;
const ONE_IN = 16;

/** Chunks of a long file that are asked for together: more than one, when the first is there. */
const ASKED_CHUNKS = 64;

/** A file that need not be sent. */
export interface KnownFile {
  readonly digest: B3Digest;
  /** In bytes. */
  readonly size: number;
}

/**
 * Asks a service on another machine what it has already, so that it is not sent that again. Where nothing of a tree is
 * there it soon asks for little, and where one cannot ask for many at once for nothing.
 */
export class SparingUpload {
  readonly #blobs: ExchangingBlobService;
  readonly #cutter = new ChunkCutter(new FastCdc());
  #canAsk: Promise<boolean> | undefined;
  #missed = 0;
  #notAsked = 0;

  constructor(blobs: ExchangingBlobService) {
    this.#blobs = blobs;
  }

  /** Undefined for blobs that are here, where to look is as much work as to put. */
  static to(blobs: BlobService): SparingUpload | undefined {
    return "chunkExchange" in blobs ? new SparingUpload(blobs as ExchangingBlobService) : undefined;
  }

  /** A short file, if all of it is there; undefined: it has to be sent. */
  async findShort(bytes: Uint8Array, options: OperationOptions): Promise<KnownFile | undefined> {
    if (bytes.length === 0 || !(await this.#isWorthAsking(options))) return undefined;
    const digest = B3Digest.of(bytes);
    return this.#noted(await this.#blobs.has(digest, options)) ? { digest, size: bytes.length } : undefined;
  }

  /**
   * A long one, if each of its chunks is there as well as the whole; it is read as far as that is so. What is cut into
   * other chunks over there counts as not there.
   */
  async findLong(contents: ByteStream, options: OperationOptions): Promise<KnownFile | undefined> {
    if (!(await this.#isWorthAsking(options))) return undefined;
    await digestsSettling();
    const hasher = B3Digest.createHasher();
    let size = 0;
    let asked: Promise<boolean>[] = [];
    for await (const { bytes, release } of this.#cutter.cut(contents)) {
      const chunk = B3Digest.of(bytes);
      const isFirst = size === 0;
      size += bytes.length;
      hasher.update(bytes);
      release();
      asked.push(this.#has(chunk, options));
      if (!isFirst && asked.length < ASKED_CHUNKS) continue;
      if (!this.#noted(await areAll(asked))) return undefined;
      asked = [];
    }
    const digest = B3Digest.finish(hasher);
    asked.push(this.#has(digest, options));
    return this.#noted(await areAll(asked)) ? { digest, size } : undefined;
  }

  async #isWorthAsking(options: OperationOptions): Promise<boolean> {
    if (this.#missed >= PATIENCE && this.#notAsked++ % ONE_IN > 0) return false;
    this.#canAsk ??= this.#blobs.chunkExchange
      .findMissing([], options)
      .then((missing) => missing !== undefined);
    try {
      return await this.#canAsk;
    } catch (error) {
      this.#canAsk = undefined;
      throw error;
    }
  }

  /** Also where the file fails, and nobody waits for the answer, its failure is no surprise. */
  #has(digest: B3Digest, options: OperationOptions): Promise<boolean> {
    const answer = this.#blobs.has(digest, options);
    answer.catch(() => {});
    return answer;
  }

  #noted(isThere: boolean): boolean {
    this.#missed = isThere ? 0 : this.#missed + 1;
    return isThere;
  }
}

async function areAll(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(answers)).every((isThere) => isThere);
}
