import type { B3Digest } from "@tvix/castore";
import type { FreshlyEncoded } from "@tvix/castore/backend";
import { encodeRecordHead, RECORD_HEAD_BYTES } from "@tvix/castore-packs/backend";
import type { Bucket, UploadedPart } from "./bucket.ts";
import type { ExtentRecord, ExtentRegistry } from "./extent-registry.ts";
import { nameOf } from "./object-names.ts";

/** Length of a part of an object that is sent in parts, in bytes: every store takes 5 MiB and more. */
const PART_BYTES = 8 << 20;

/**
 * One pack on its way into an object. It is sent with one request when it has become no longer than a part; else its
 * parts are sent while it grows.
 */
export class PackUpload {
  /** When something was added last, and first, by the clock of the process, in milliseconds. */
  readonly began: number = performance.now();
  last: number = this.began;
  /** Its number when all of it is in the object store, and the records know that. */
  readonly done: Promise<number>;
  readonly #bucket: Bucket;
  readonly #registry: ExtentRegistry;
  readonly #onSent: (bytes: number) => void;
  readonly #onWhole: (extent: number, bytes: Uint8Array) => void;
  readonly #registered: Promise<{ readonly extent: number; readonly record: ExtentRecord }>;
  readonly #settle: PromiseWithResolvers<number> = Promise.withResolvers();
  readonly #parts: Promise<UploadedPart>[] = [];
  #upload: Promise<{ readonly name: string; readonly id: string }> | undefined;
  /** What has not been sent: heads and payloads, in turn. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #length = 0;

  /**
   * @param onSent told of bytes that are held no more, whether they arrived or not
   * @param onWhole told of an extent that has arrived with one request, and of what lies in it
   */
  constructor(
    bucket: Bucket,
    registry: ExtentRegistry,
    onSent: (bytes: number) => void,
    onWhole: (extent: number, bytes: Uint8Array) => void,
  ) {
    this.#bucket = bucket;
    this.#registry = registry;
    this.#onSent = onSent;
    this.#onWhole = onWhole;
    this.done = this.#settle.promise;
    // Whoever waits for it is told; somebody always does.
    this.done.catch(() => {});
    this.#registered = registry.begin();
    this.#registered.catch(() => {});
  }

  /** How many chunks are in it so far. */
  chunks = 0;
  /** Bytes of the pack so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a chunk, and releases it. @returns its place in the pack */
  add(digest: B3Digest, chunk: FreshlyEncoded): number {
    const offset = this.#length;
    const bytes = Buffer.allocUnsafeSlow(RECORD_HEAD_BYTES + chunk.payload.length);
    bytes.set(encodeRecordHead(digest, chunk));
    bytes.set(chunk.payload, RECORD_HEAD_BYTES);
    chunk.release();
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#length += bytes.length;
    this.chunks++;
    this.last = performance.now();
    while (this.#waitingBytes >= PART_BYTES) this.#sendPart();
    return offset;
  }

  /** Sends what is left: nothing is added any more. {@link done} tells when it is there. */
  finish(): void {
    this.#finish().then(this.#settle.resolve, (error: unknown) => {
      this.#settle.reject(error);
      void this.#giveUp();
    });
  }

  async #finish(): Promise<number> {
    const { extent, record } = await this.#registered.catch((error: unknown) => {
      this.#onSent(this.#takeWaiting().length);
      throw error;
    });
    let whole: Uint8Array | undefined;
    if (this.#upload === undefined) {
      whole = this.#takeWaiting();
      await this.#sending(whole, (body) => this.#bucket.put(nameOf(extent), body));
    } else {
      if (this.#waitingBytes > 0) this.#sendPart();
      const parts = await Promise.all(this.#parts);
      const { name, id } = await this.#upload;
      await this.#bucket.complete(name, id, parts);
    }
    await this.#registry.complete(extent, record, this.#length);
    if (whole !== undefined) this.#onWhole(extent, whole);
    return extent;
  }

  #sendPart(): void {
    this.#upload ??= this.#begin();
    const upload = this.#upload;
    const number = this.#parts.length + 1;
    // All parts but the last are of one length: some stores want that.
    const part = this.#sending(this.#takeWaiting(PART_BYTES), async (body) => {
      const { name, id } = await upload;
      return await this.#bucket.putPart(name, id, number, body);
    });
    part.catch(() => {});
    this.#parts.push(part);
  }

  async #begin(): Promise<{ readonly name: string; readonly id: string }> {
    const { extent } = await this.#registered;
    const name = nameOf(extent);
    return { name, id: await this.#bucket.begin(name) };
  }

  async #sending<T>(body: Uint8Array, send: (body: Uint8Array) => Promise<T>): Promise<T> {
    try {
      return await send(body);
    } finally {
      this.#onSent(body.length);
    }
  }

  /** What waits, up to so many bytes. */
  #takeWaiting(most: number = Number.POSITIVE_INFINITY): Uint8Array {
    const all = Buffer.concat(this.#waiting, this.#waitingBytes);
    const body = all.subarray(0, most);
    const rest = all.subarray(body.length);
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
    return body;
  }

  /** Removes what has become of a pack that failed, as far as that is possible now: what is left goes later. */
  async #giveUp(): Promise<void> {
    try {
      await Promise.allSettled(this.#parts);
      const { extent, record } = await this.#registered;
      const isGivenUp = await this.#registry.sealAsFound(extent, record);
      const now = await this.#registry.find(extent);
      // That it is whole may have been written, and not been told: then it is somebody's.
      if (!isGivenUp && now !== undefined && now.length > 0) return;
      const upload = await this.#upload?.catch(() => undefined);
      if (upload !== undefined) await this.#bucket.abort(upload.name, upload.id);
      await this.#bucket.remove(nameOf(extent));
      await this.#registry.remove(extent);
    } catch {
      // The object store is away, most likely: `removeAbandoned` does the same another time.
    }
  }
}
