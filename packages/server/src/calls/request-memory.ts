import { Code, ConnectError } from "@connectrpc/connect";
import type { HeldMemory, MemoryLedger } from "@tvix/castore";
import { toConnectError } from "@tvix/castore-grpc";
import type { FieldCounter } from "./field-counter.ts";
import { type EndedMessage, MessageBoundaries } from "./message-boundary.ts";
import { parsedBeyond } from "./parsed-memory.ts";
import { withNext } from "./with-next.ts";

/** What a message may have without being accounted for: most have far less. */
const FREE_BYTES = 64 << 10;

/** By what it grows from there, so that the ledger is not asked for every piece. */
const STEP_BYTES = 256 << 10;

/** What a piece of a message takes beside its bytes, until the message is whole. */
const PIECE_BYTES = 256;

/** The most that a byte of gzip stands for; one of brotli may stand for anything. */
const GZIP_EXPANSION = 1032;

/** What is decompressed is there in pieces, and then as a whole. */
const COPIES = 2;

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
  /** Of the one message that a body is: bytes that have come. */
  #gathered = 0;
  /** Of the message that has come in part: in how many pieces. */
  #pieces = 0;

  constructor(options: RequestMemoryOptions) {
    this.#options = options;
  }

  /**
   * The same body, which waits for memory where a message is long. A piece with many messages comes in several.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED when there is none for a while
   */
  watch(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { isUnary, onBoundary, makeCounter, encoding } = this.#options;
    onBoundary?.(true);
    if (isUnary) {
      const counter = encoding === undefined ? makeCounter() : undefined;
      return withNext(body, async (next) => {
        const piece = await next();
        await this.#takeUnary(piece, counter);
        return piece;
      });
    }
    const boundaries = new MessageBoundaries(makeCounter);
    let rest: Uint8Array | undefined;
    return withNext(body, async (next) => {
      const piece = rest === undefined ? await next() : { value: rest };
      rest = undefined;
      if (piece.done === true) return piece;
      const { length, ended } = boundaries.see(piece.value);
      if (length < piece.value.length) rest = piece.value.subarray(length);
      await this.#takeMessages(boundaries, ended);
      return { value: rest === undefined ? piece.value : piece.value.subarray(0, length) };
    });
  }

  /** Holds what a piece of the one message needs; at its end, what that needs as a whole. */
  async #takeUnary(
    piece: IteratorResult<Uint8Array, unknown>,
    counter: FieldCounter | undefined,
  ): Promise<void> {
    if (piece.done === true) {
      await this.#needExpanded(this.#gathered);
      return;
    }
    counter?.see(piece.value);
    this.#gathered += piece.value.length;
    // A client may send each byte on its own.
    this.#pieces++;
    const parsed = counter === undefined ? 0 : parsedBeyond(counter, this.#gathered);
    await this.#need(this.#gathered, this.#pieces * PIECE_BYTES + parsed);
    this.#options.onBoundary?.(false);
  }

  /** Holds what the message needs of which a part has come, and what those need that have ended. */
  async #takeMessages(boundaries: MessageBoundaries, ended: readonly EndedMessage[]): Promise<void> {
    // Many short messages in one piece need nothing: whoever takes them may wait for memory of its own.
    this.#pieces = ended.length > 0 ? 1 : this.#pieces + 1;
    await this.#need(boundaries.begunBytes, this.#pieces * PIECE_BYTES + boundaries.begunBeyond);
    // They are parsed one after the other, and given on at once.
    await this.#need(
      0,
      ended.reduce((sum, message) => sum + message.beyond, 0),
    );
    for (const { length, isCompressed } of ended) if (isCompressed) await this.#needExpanded(length);
    this.#options.onBoundary?.(boundaries.isBetweenMessages);
  }

  /** Gives it back, when the request has been dealt with. */
  release(): void {
    this.#isOver = true;
    this.#held?.release();
    this.#held = undefined;
    this.#heldBytes = 0;
  }

  async #needExpanded(bytes: number): Promise<void> {
    const { encoding, maxMessageBytes } = this.#options;
    if (encoding === undefined) return;
    const most = encoding === "gzip" ? bytes * GZIP_EXPANSION : maxMessageBytes;
    await this.#need(bytes + COPIES * Math.min(most, maxMessageBytes));
  }

  /**
   * Holds what is needed beyond what is free; what is held already is enough for later messages too.
   *
   * @param beyond what parsing takes, of which there may be any number
   */
  async #need(bytes: number, beyond = 0): Promise<void> {
    const { memory, signal, maxMessageBytes } = this.#options;
    const bounded = Math.min(bytes, (1 + COPIES) * maxMessageBytes) + beyond;
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
