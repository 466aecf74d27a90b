import { type B3Digest, CastoreError } from "@tvix/castore";
import type { ExtentLocation, FreshlyEncoded } from "@tvix/castore/backend";
import { RECORD_HEAD_BYTES } from "@tvix/castore-packs/backend";
import type { Bucket } from "./bucket.ts";
import type { ExtentRegistry } from "./extent-registry.ts";
import { PackUpload } from "./pack-upload.ts";

/** How a {@link PackWriter} makes objects. */
export interface PackWriterOptions {
  /** Length after which a pack is complete, in bytes. */
  readonly packBytes: number;
  /** Bytes that wait for the object store, or are on their way, at the most. */
  readonly heldBytes: number;
  /** How long a pack waits for more after the last chunk, and after the first, in milliseconds. */
  readonly quietMs: number;
  readonly lingerMs: number;
}

/** How long a pack waits for more at least where many come, in milliseconds: gaps of a busy machine are no end. */
const CROWD_QUIET_MS = 100;

interface WaitingAppend {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Gathers chunks that come together into packs, an object each. */
export class PackWriter {
  readonly #bucket: Bucket;
  readonly #registry: ExtentRegistry;
  readonly #options: PackWriterOptions;
  readonly #onWhole: (extent: number, bytes: Uint8Array) => void;
  readonly #underWay: Set<PackUpload> = new Set();
  readonly #waiting: WaitingAppend[] = [];
  #held = 0;
  #current: PackUpload | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #failure: CastoreError | undefined;
  /** How long the last pack was on its way, in milliseconds. */
  #tookMs = 0;
  /** Chunks in the last pack that was sent. */
  #lastChunks = 0;

  /** @param onWhole told of an extent that has arrived with one request, and of what lies in it */
  constructor(
    bucket: Bucket,
    registry: ExtentRegistry,
    options: PackWriterOptions,
    onWhole: (extent: number, bytes: Uint8Array) => void = () => {},
  ) {
    this.#bucket = bucket;
    this.#onWhole = onWhole;
    this.#registry = registry;
    this.#options = options;
  }

  /** What the last pack has failed with; undefined when it has arrived. */
  get failure(): CastoreError | undefined {
    return this.#failure;
  }

  /** Forgets the last failure: what led to it is over. */
  forgive(): void {
    this.#failure = undefined;
  }

  /** Appends a chunk, and releases it; returns its place when it is in the object store. */
  async append(digest: B3Digest, chunk: FreshlyEncoded): Promise<ExtentLocation> {
    const { encoding, size, payload } = chunk;
    const storedLength = payload.length;
    try {
      await this.#admit(RECORD_HEAD_BYTES + storedLength);
    } catch (error) {
      chunk.release();
      throw error;
    }
    const pack = this.#current ?? this.#begin();
    const offset = pack.add(digest, chunk);
    if (pack.length >= this.#options.packBytes) this.#finish();
    return { extent: await pack.done, offset, encoding, size, storedLength };
  }

  /** Sends what has come together so far, and resolves when everything is there, or has failed. */
  async flush(): Promise<void> {
    this.#finish();
    await Promise.allSettled([...this.#underWay].map(({ done }) => done));
  }

  /** Sends everything; then nothing more can be appended. */
  async close(): Promise<void> {
    this.#closed = true;
    // Those who wait for room get it as others are done, and may be the first of a new pack.
    while (this.#underWay.size > 0 || this.#current !== undefined || this.#waiting.length > 0)
      await this.flush();
  }

  #begin(): PackUpload {
    const pack = new PackUpload(this.#bucket, this.#registry, (bytes) => this.#release(bytes), this.#onWhole);
    this.#current = pack;
    this.#underWay.add(pack);
    void pack.done
      .then(
        () => {
          this.#failure = undefined;
        },
        (error: unknown) => {
          this.#failure = CastoreError.is(error) ? error : undefined;
        },
      )
      .finally(() => this.#underWay.delete(pack));
    this.#timer = setTimeout(() => this.#tick(pack), this.#options.quietMs);
    return pack;
  }

  /** Sends a pack to which nothing was added for a moment, or that has waited long enough. */
  #tick(pack: PackUpload): void {
    if (pack !== this.#current) return;
    const { quietMs, lingerMs } = this.#options;
    const now = performance.now();
    // Whoever puts one chunk after the other waits for nobody. Where many come more are coming, and waiting for as long
    // as a pack takes on its way mostly doubles the time of those who wait.
    const isCrowd = this.#lastChunks > 1 || this.#underWay.size > 1;
    const quiet = isCrowd ? Math.max(this.#tookMs, CROWD_QUIET_MS) : quietMs;
    const due = Math.min(pack.last + quiet, pack.began + lingerMs);
    if (now >= due) this.#finish();
    else this.#timer = setTimeout(() => this.#tick(pack), Math.min(due - now, quietMs));
  }

  #finish(): void {
    clearTimeout(this.#timer);
    const pack = this.#current;
    if (pack === undefined) return;
    this.#current = undefined;
    this.#lastChunks = pack.chunks;
    const start = performance.now();
    void pack.done.then(
      () => {
        this.#tookMs = performance.now() - start;
      },
      () => {},
    );
    pack.finish();
  }

  async #admit(bytes: number): Promise<void> {
    if (this.#closed) throw new CastoreError("CLOSED", "the store is closed");
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((admit) => void this.#waiting.push({ bytes, admit }));
    } else this.#held += bytes;
  }

  #release(bytes: number): void {
    this.#held -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#held += next.bytes;
      next.admit();
    }
  }

  /** One that is longer than all room goes alone. */
  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#options.heldBytes;
  }
}
