import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { CastoreError } from "@tvix/castore";
import type { FreshlyEncoded } from "@tvix/castore/backend";
import type { FromWorker, Slot, ToWorker } from "./zstd-worker.ts";

/** Longest chunk that goes to a worker, and most bytes of one batch. */
export const SLOT_BYTES: number = 1 << 20;

/** Most chunks of one batch, so that small ones do not wait for many others. */
const BATCH_CHUNKS = 128;

/** A thread that has a batch gets the next one once it is this part of a full one: messages cost. */
const LEAST_PART = 1 / 4;

/**
 * One batch is being worked on while the next one is on its way and others are being written:
 * a slot is free again when its frames have been.
 */
const SLOTS_PER_WORKER = 3;

/** A single worker has so many. */
const LEAST_SLOTS = 6;

/** More threads than this would only wait for the one that feeds them. */
const MAX_WORKERS = 8;

/** A thread holds a batch of frames at the most. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 };

interface Job {
  readonly bytes: Uint8Array;
  readonly release: (() => void) | undefined;
  readonly resolve: (chunk: FreshlyEncoded) => void;
  readonly reject: (error: unknown) => void;
}

/** A job whose bytes are in a slot. */
interface PlacedJob {
  readonly size: number;
  readonly resolve: (chunk: FreshlyEncoded) => void;
  readonly reject: (error: unknown) => void;
}

interface PoolSlot extends Slot {
  readonly worker: Worker;
  readonly index: number;
  /** What the worker has in this slot; empty when it has done that. */
  jobs: readonly PlacedJob[];
  /** Frames and chunks in this slot that somebody still looks at. */
  inUse: number;
}

/**
 * Compresses chunks in threads of their own. Chunks that wait for a thread go to it together,
 * through memory that both sides share, and are written from there: many small ones cost
 * little more than a large one, and there is nothing for the collector. That memory is also
 * all that there is: chunks wait where writing is slower than they come.
 */
export class ZstdPool {
  readonly #level: number;
  readonly #script: URL;
  readonly #workerCount = Math.min(MAX_WORKERS, availableParallelism());
  /** Of the threads that are there; started when they are first needed, and again when one has died. */
  #slots: readonly PoolSlot[] = [];
  #workers: ReadonlySet<Worker> = new Set();
  #waiting: Job[] = [];
  #waitingBytes = 0;
  #isScheduled = false;
  #closed = false;
  #onIdle: (() => void) | undefined;

  /**
   * @param level zstd level, from 1 to 19
   * @param script what the threads run
   */
  constructor(level: number, script: URL = new URL("./zstd-worker.js", import.meta.url)) {
    this.#level = level;
    this.#script = script;
  }

  /**
   * Compresses a chunk of up to SLOT_BYTES, or says that it does not compress.
   *
   * @param release called when the bytes have been copied, before they are compressed
   */
  encode(bytes: Uint8Array, release?: () => void): Promise<FreshlyEncoded> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new CastoreError("CLOSED", "the store is closed"));
        return;
      }
      this.#waiting.push({ bytes, release, resolve, reject });
      this.#waitingBytes += bytes.length;
      if (this.#waiting.length === 1 || this.#isWorthwhile()) this.#schedule();
    });
  }

  /** Whatever comes in the same turn of the event loop goes together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  /** Finishes what is under way and ends the threads; what comes later fails with CLOSED. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#isBusy()) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await Promise.all([...this.#workers].map(endWorker));
  }

  #isBusy(): boolean {
    return this.#waiting.length > 0 || this.#slots.some((slot) => slot.jobs.length > 0);
  }

  #dispatch(): void {
    if (!this.#isBusy()) this.#onIdle?.();
    if (this.#waiting.length === 0) return;
    while (this.#workers.size < this.#workerCount) this.#startWorker();
    for (let slot = this.#freeSlot(); slot !== undefined; slot = this.#freeSlot()) {
      if (this.#isAtWork(slot.worker) && !this.#isWorthwhile()) return;
      const lengths = this.#fill(slot);
      slot.worker.ref();
      send(slot.worker, { type: "compress", slot: slot.index, lengths });
      if (this.#waiting.length === 0) return;
    }
  }

  #isAtWork(worker: Worker): boolean {
    return this.#slots.some((slot) => slot.worker === worker && slot.jobs.length > 0);
  }

  #isWorthwhile(): boolean {
    return this.#waitingBytes >= SLOT_BYTES * LEAST_PART || this.#waiting.length >= BATCH_CHUNKS * LEAST_PART;
  }

  /** A free slot: of a thread that has nothing to do, or else of the one with the most of them. */
  #freeSlot(): PoolSlot | undefined {
    const free = this.#slots.filter(({ jobs, inUse }) => jobs.length === 0 && inUse === 0);
    const freeOf = (worker: Worker) => free.filter((slot) => slot.worker === worker).length;
    const rankOf = ({ worker }: PoolSlot) => (this.#isAtWork(worker) ? 0 : free.length) + freeOf(worker);
    return free.reduce<PoolSlot | undefined>(
      (best, slot) => (best === undefined || rankOf(slot) > rankOf(best) ? slot : best),
      undefined,
    );
  }

  /** Moves waiting chunks into a free slot; returns their lengths. */
  #fill(slot: PoolSlot): number[] {
    const lengths: number[] = [];
    let end = 0;
    for (const { bytes } of this.#waiting) {
      if (lengths.length === BATCH_CHUNKS || end + bytes.length > SLOT_BYTES) break;
      slot.input.set(bytes, end);
      end += bytes.length;
      lengths.push(bytes.length);
    }
    this.#waitingBytes -= end;
    slot.jobs = this.#waiting.splice(0, lengths.length).map(({ bytes, release, resolve, reject }) => {
      release?.();
      return { size: bytes.length, resolve, reject };
    });
    return lengths;
  }

  #finish(slot: PoolSlot, lengths: readonly number[]): void {
    const { jobs } = slot;
    slot.jobs = [];
    slot.inUse = jobs.length;
    const release = () => {
      slot.inUse--;
      if (slot.inUse === 0) this.#dispatch();
    };
    let from = 0;
    let start = 0;
    jobs.forEach(({ size, resolve }, index) => {
      const length = lengths[index] ?? 0;
      const chunk = slot.input.subarray(from, from + size);
      from += size;
      if (length === 0) {
        resolve({ encoding: "raw", size, payload: chunk, release });
      } else {
        const payload = slot.output.subarray(start, start + length);
        resolve({ encoding: "zstd", size, payload, release });
        start += length;
      }
    });
    this.#rest(slot.worker);
    this.#dispatch();
  }

  /** A thread that has nothing to do does not keep the process alive. */
  #rest(worker: Worker): void {
    if (!this.#isAtWork(worker)) worker.unref();
  }

  #startWorker(): void {
    const count = Math.max(SLOTS_PER_WORKER, Math.ceil(LEAST_SLOTS / this.#workerCount));
    const worker = new Worker(this.#script, {
      resourceLimits: RESOURCE_LIMITS,
      // Options of this process, such as `--input-type`, are none for a thread.
      execArgv: [],
    });
    const slots = Array.from({ length: count }, (_, index): PoolSlot => {
      const [input, output] = [sharedBytes(), sharedBytes()];
      return { worker, index, input, output, jobs: [], inUse: 0 };
    });
    worker.on("message", ({ slot, lengths }: FromWorker) => this.#finish(slots[slot] as PoolSlot, lengths));
    worker.on("error", (cause) => this.#fail(worker, cause));
    worker.on("exit", () => this.#fail(worker, new Error("the thread has ended")));
    send(worker, {
      type: "start",
      level: this.#level,
      slots: slots.map(({ input, output }) => ({ input, output })),
    });
    worker.unref();
    this.#workers = new Set([...this.#workers, worker]);
    this.#slots = [...this.#slots, ...slots];
  }

  /** A thread has died: its chunks fail, and for the next ones another thread is started. */
  #fail(worker: Worker, cause: unknown): void {
    if (!this.#workers.has(worker)) return;
    this.#workers = new Set([...this.#workers].filter((other) => other !== worker));
    const error = new CastoreError("STORAGE_FAILURE", "compression has failed", { cause });
    const lost = this.#slots.filter((slot) => slot.worker === worker);
    this.#slots = this.#slots.filter((slot) => slot.worker !== worker);
    for (const slot of lost) {
      for (const { reject } of slot.jobs) reject(error);
      slot.jobs = [];
    }
    this.#dispatch();
  }
}

function sharedBytes(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(SLOT_BYTES));
}

/**
 * Has a thread end by itself, and waits for that. One that is terminated from outside, also by the end of
 * the process, while it makes its compressor takes the process with it: Node asserts that a compressor
 * which is freed has been initialized.
 */
async function endWorker(worker: Worker): Promise<void> {
  const ended = new Promise<void>((resolve) => void worker.once("exit", () => resolve()));
  worker.ref();
  send(worker, { type: "end" });
  await ended;
}

function send(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
