import { Code, ConnectError } from "@connectrpc/connect";
import type { HeldMemory, MemoryLedger } from "@tvix/castore";
import { toConnectError } from "@tvix/castore-grpc";
import { BegunMessage } from "./begun-message.ts";
import type { FieldCounter } from "./field-counter.ts";
import { type EndedMessage, MessageBoundaries } from "./message-boundary.ts";
import { parsedBeyond } from "./parsed-memory.ts";
import { withNext } from "./with-next.ts";

/** What a message may have without being accounted for: most have far less. */
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
   * is there: who reads it makes room for all of it as soon as its length is known. A piece is there until the next one is asked for.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED when there is none for a while
   */
  watch(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    this.#options.onBoundary?.(true);
    return this.#options.isUnary ? this.#watchUnary(body) : this.#watchMessages(body);
  }

  #watchUnary(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { makeCounter, encoding, maxMessageBytes, onBoundary } = this.#options;
    const counter = encoding === undefined ? makeCounter() : undefined;
    let isOver = false;
    return withNext(body, async (next) => {
      for (;;) {
        const piece = isOver ? OVER : await next();
        if (piece.done === true) {
          if (isOver) return piece;
          isOver = true;
          await this.#needExpanded(this.#begun.length);
          return { value: this.#begun.bytes };
        }
        counter?.see(piece.value);
        const length = this.#begun.length + piece.value.length;
        await this.#need(COPIES * length, counter === undefined ? 0 : parsedBeyond(counter, length));
        this.#begun.add(piece.value);
        onBoundary?.(false);
        // Whoever reads it refuses it.
        if (length > maxMessageBytes) return { value: this.#begun.bytes };
      }
    });
  }

  #watchMessages(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const boundaries = new MessageBoundaries(this.#options.makeCounter);
    const begun = this.#begun;
    /** Of the piece that came last: what begins a message, and what has not been looked at. */
    let [beginning, rest]: [Uint8Array | undefined, Uint8Array | undefined] = [undefined, undefined];
    let isOver = false;
    return withNext(body, async (next) => {
      begun.clear();
      if (beginning !== undefined) begun.add(beginning);
      beginning = undefined;
      for (;;) {
        const piece = isOver ? OVER : rest === undefined ? await next() : { value: rest };
        rest = undefined;
        if (piece.done === true) {
          isOver = true;
          // One that breaks off is for whoever reads it to refuse.
          return begun.length > 0 ? { value: begun.bytes } : piece;
        }
        const { length, whole, ended } = boundaries.see(piece.value);
        await this.#takeMessages(boundaries, ended);
        if (length < piece.value.length) rest = piece.value.subarray(length);
        if (ended.length === 0) {
          begun.add(piece.value.subarray(0, length));
          if (boundaries.begunLength <= this.#options.maxMessageBytes) continue;
          // Too long, which its head tells.
          return { value: begun.bytes };
        }
        if (whole < length) beginning = piece.value.subarray(whole, length);
        const messages = piece.value.subarray(0, whole);
        if (begun.length === 0) return { value: messages };
        begun.add(messages);
        return { value: begun.bytes };
      }
    });
  }

  /** Holds what the message needs of which a part has come, and what those need that have ended. */
  async #takeMessages(boundaries: MessageBoundaries, ended: readonly EndedMessage[]): Promise<void> {
    for (const { length, isCompressed } of ended)
      await (isCompressed ? this.#needExpanded(length) : this.#need(COPIES * length));
    await this.#need(COPIES * boundaries.begunBytes, boundaries.begunBeyond);
    // They are parsed one after the other, and given on at once.
    await this.#need(
      0,
      ended.reduce((sum, message) => sum + message.beyond, 0),
    );
    this.#options.onBoundary?.(boundaries.isBetweenMessages);
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
