import { Code, ConnectError } from "@connectrpc/connect";
import { CastoreError, type HeldMemory, type MemoryLedger } from "@tvix/castore";
import { toConnectError } from "@tvix/castore-grpc";
import { BegunMessage } from "./begun-message.ts";
import type { FieldCounter } from "./field-counter.ts";
import { type EndedMessage, HEAD_BYTES, MessageBoundaries } from "./message-boundary.ts";
import { parsedBeyond } from "./parsed-memory.ts";
import { withNext } from "./with-next.ts";

/** What a message may take without being accounted for, in bytes, twice its own: most take far less. */
const FREE_BYTES = 64 << 10;

/** By what it grows from there, so that the ledger is not asked for every piece. */
const STEP_BYTES = 256 << 10;

/** The most that a byte of gzip stands for; one of brotli may stand for anything. */
const GZIP_EXPANSION = 1032;

/** A message is there as it came, and as a whole for whoever reads it; what is decompressed in pieces, and as a whole. */
const COPIES = 2;

/** What is asked for behind the end. */
const OVER: IteratorResult<never> = { done: true, value: undefined };

/** What a body is, and what it may take. */
export interface RequestMemoryOptions {
  readonly memory: MemoryLedger;
  readonly signal: AbortSignal;
  /** Longest message there may be, in bytes: longer ones are refused by whoever reads them. */
  readonly maxMessageBytes: number;
  /** Whether the body as a whole is one message; else it is messages with heads. */
  readonly isUnary: boolean;
  /** Length of the body, where its client tells it. */
  readonly announcedBytes: number | undefined;
  /** Counts the fields of a message: what is parsed takes far more than its bytes where it is hardly anything but fields. */
  readonly makeCounter: () => FieldCounter;
  /** How messages are compressed that are; undefined: none is. */
  readonly encoding: string | undefined;
  /** Told whether the client owes nothing but the next message. */
  readonly onBoundary: ((isBetweenMessages: boolean) => void) | undefined;
}

/**
 * The memory that the messages of a request take until they have been dealt with: they are gathered as
 * they come, and decompressed, before anybody sees them.
 */
export class RequestMemory {
  readonly #options: RequestMemoryOptions;
  #held: HeldMemory | undefined;
  #heldBytes = 0;
  #isOver = false;
  readonly #begun: BegunMessage = new BegunMessage();

  constructor(options: RequestMemoryOptions) {
    this.#options = options;
  }

  /**
   * The same body, in pieces of whole messages, which waits for memory where a message is long. Nobody sees a message before all of it
   * is there, unless it breaks off or is too long: who reads it makes room for all of it as soon as its length is known. A piece is there
   * until the next one is asked for, or the memory released.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED when there is none for a while, or never so much
   */
  watch(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    this.#options.onBoundary?.(true);
    return this.#options.isUnary ? this.#watchUnary(body) : this.#watchMessages(body);
  }

  #watchUnary(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { makeCounter, encoding, maxMessageBytes, announcedBytes, onBoundary } = this.#options;
    const counter = encoding === undefined ? makeCounter() : undefined;
    const begun = this.#begun;
    let isOver = false;
    return withNext(body, async (next) => {
      if (isOver) return OVER;
      this.#checkFits(announcedBytes ?? 0);
      // One that is too long is for whoever reads it to refuse.
      while (begun.length <= maxMessageBytes) {
        const piece = await next();
        if (piece.done === true) {
          await this.#needExpanded(begun.length);
          break;
        }
        counter?.see(piece.value);
        const beyond = counter === undefined ? 0 : parsedBeyond(counter, begun.length + piece.value.length);
        await this.#need(this.#gathering(piece.value, announcedBytes), beyond);
        begun.add(piece.value, announcedBytes);
        onBoundary?.(false);
      }
      isOver = true;
      return { value: begun.bytes };
    });
  }

  #watchMessages(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { makeCounter, maxMessageBytes } = this.#options;
    const boundaries = new MessageBoundaries(makeCounter);
    const begun = this.#begun;
    /** Of the piece that came last: what begins a message, and what has not been looked at. */
    let [beginning, rest]: [Uint8Array | undefined, Uint8Array | undefined] = [undefined, undefined];
    let isOver = false;
    return withNext(body, async (next) => {
      begun.clear();
      if (beginning !== undefined) {
        begun.add(beginning);
        beginning = undefined;
        if (boundaries.begunLength > maxMessageBytes) return { value: begun.bytes };
      }
      for (;;) {
        const piece = isOver ? OVER : rest === undefined ? await next() : { value: rest };
        rest = undefined;
        if (piece.done === true) {
          isOver = true;
          // One that breaks off is for whoever reads it to refuse.
          return begun.length > 0 ? { value: begun.bytes } : piece;
        }
        const { length, endedAt, ended } = boundaries.see(piece.value);
        if (length < piece.value.length) rest = piece.value.subarray(length);
        if (ended.length === 0) {
          const isTooLong = boundaries.begunLength > maxMessageBytes;
          const whole = HEAD_BYTES + boundaries.begunLength;
          if (!isTooLong) await this.#take(piece.value.subarray(0, length), whole, boundaries, ended);
          begun.add(piece.value.subarray(0, length), whole);
          // So is one that is too long, which its head tells.
          if (isTooLong) return { value: begun.bytes };
          continue;
        }
        const messages = piece.value.subarray(0, endedAt);
        if (endedAt < length) beginning = piece.value.subarray(endedAt, length);
        const whole = begun.length + messages.length;
        await this.#take(messages, whole, boundaries, ended);
        if (begun.length === 0) return { value: messages };
        begun.add(messages, whole);
        return { value: begun.bytes };
      }
    });
  }

  /**
   * Holds what the message needs of which a part has come, and what those need that have ended.
   *
   * @param whole length of what is gathered, when all of it has come
   */
  async #take(
    piece: Uint8Array,
    whole: number,
    boundaries: MessageBoundaries,
    ended: readonly EndedMessage[],
  ): Promise<void> {
    this.#checkFits(boundaries.begunLength);
    const isGathered = ended.length === 0 || this.#begun.length > 0;
    await this.#need(isGathered ? this.#gathering(piece, whole) : 0, boundaries.begunBeyond);
    for (const { length, isCompressed } of ended) if (isCompressed) await this.#needExpanded(length);
    // They are parsed one after the other, and given on at once.
    await this.#need(
      0,
      ended.reduce((sum, message) => sum + message.beyond, 0),
    );
    this.#options.onBoundary?.(boundaries.isBetweenMessages);
  }

  /** What there is of a message when another piece of it has come: as it came, and for whoever reads it as a whole. */
  #gathering(piece: Uint8Array, whole: number | undefined): number {
    return this.#begun.roomFor(piece.length, whole) + this.#begun.length + piece.length;
  }

  /** @throws ConnectError RESOURCE_EXHAUSTED for a message that never has enough memory */
  #checkFits(bytes: number): void {
    const { memory, signal } = this.#options;
    if (COPIES * bytes - FREE_BYTES <= memory.capacity) return;
    const text = `a message of ${bytes} bytes needs more than the ${memory.capacity} bytes of memory that there are`;
    throw toConnectError(new CastoreError("TOO_LARGE", text), signal);
  }

  /** Gives it back, when the request has been dealt with. */
  release(): void {
    this.#isOver = true;
    this.#begun.release();
    this.#held?.release();
    this.#held = undefined;
    this.#heldBytes = 0;
  }

  async #needExpanded(bytes: number): Promise<void> {
    const { encoding, maxMessageBytes } = this.#options;
    if (encoding === undefined) return;
    const most = encoding === "gzip" ? bytes * GZIP_EXPANSION : maxMessageBytes;
    await this.#need(COPIES * (bytes + Math.min(most, maxMessageBytes)));
  }

  /**
   * Holds what is needed beyond what is free; what is held already is enough for later messages too.
   *
   * @param beyond what parsing takes, of which there may be any number
   */
  async #need(bytes: number, beyond = 0): Promise<void> {
    const { memory, signal, maxMessageBytes } = this.#options;
    // A compressed message and what it becomes, each as often as it is there.
    const bounded = Math.min(bytes, 2 * COPIES * maxMessageBytes) + beyond;
    if (bounded <= FREE_BYTES + this.#heldBytes) return;
    const missing = bounded - FREE_BYTES - this.#heldBytes;
    const step = Math.ceil(missing / STEP_BYTES) * STEP_BYTES;
    try {
      const known = this.#held;
      const held = known ?? (await memory.hold(step, "a message", { signal }));
      if (known !== undefined) await known.grow(step, { signal });
      this.#held = held;
      // Its client may have left in the moment in which there was room, before this went on.
      if (this.#isOver) throw new ConnectError("the call is over", Code.Canceled);
    } catch (error) {
      // Nobody deals with it any more.
      this.release();
      throw toConnectError(error, signal);
    }
    this.#heldBytes += step;
  }
}
