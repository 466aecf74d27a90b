import type { FieldCounter } from "./field-counter.ts";
import { parsedBeyond } from "./parsed-memory.ts";

/** Bytes in front of each message: flags, and its length (gRPC, gRPC-Web and Connect alike). */
export const HEAD_BYTES = 5;

/** Set in the flags of a message that is compressed. */
const COMPRESSED = 1;

/**
 * Messages that are looked at together: whoever takes a piece makes something of all messages in it, before the first one
 * has been dealt with, and a piece may hold thousands.
 */
const TOGETHER = 32;

/** Follows the messages in a body as its pieces come. */
export class MessageBoundaries {
  readonly #makeCounter: () => FieldCounter;
  #counter: FieldCounter | undefined;
  readonly #head: DataView = new DataView(new ArrayBuffer(HEAD_BYTES));
  #headFilled = 0;
  #left = 0;
  #length = 0;
  #isCompressed = false;

  /** @param makeCounter counts the fields of a message that is not compressed */
  constructor(makeCounter: () => FieldCounter) {
    this.#makeCounter = makeCounter;
  }

  /** Whether what has come ends with a message: its client may take its time for the next one. */
  get isBetweenMessages(): boolean {
    return this.#headFilled === 0 && this.#left === 0;
  }

  /** Bytes of the message that has come in part. */
  get begunBytes(): number {
    return this.#left > 0 ? this.#length - this.#left : 0;
  }

  /** How long that message is as a whole, in bytes, as far as that is known. */
  get begunLength(): number {
    return this.#left > 0 ? this.#length : 0;
  }

  /** What that takes, when it is parsed, beyond what is taken for granted, in bytes. */
  get begunBeyond(): number {
    return this.#left > 0 && this.#counter !== undefined ? parsedBeyond(this.#counter, this.begunBytes) : 0;
  }

  /** Sees a piece, or as much of it as has so many messages as are looked at together. */
  see(piece: Uint8Array): SeenPart {
    const ended: EndedMessage[] = [];
    let at = 0;
    let endedAt = 0;
    while (at < piece.length && ended.length < TOGETHER) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, piece.length - at);
        this.#counter?.see(piece.subarray(at, at + taken));
        this.#left -= taken;
        at += taken;
      } else {
        this.#head.setUint8(this.#headFilled++, piece[at++] as number);
        if (this.#headFilled < HEAD_BYTES) continue;
        this.#headFilled = 0;
        this.#length = this.#head.getUint32(1);
        this.#left = this.#length;
        this.#isCompressed = (this.#head.getUint8(0) & COMPRESSED) !== 0;
        this.#counter = this.#isCompressed ? undefined : this.#makeCounter();
      }
      if (this.#headFilled > 0 || this.#left > 0) continue;
      ended.push(this.#end());
      endedAt = at;
    }
    return { length: at, endedAt, ended };
  }

  #end(): EndedMessage {
    const beyond = this.#counter === undefined ? 0 : parsedBeyond(this.#counter, this.#length);
    return { length: this.#length, isCompressed: this.#isCompressed, beyond };
  }
}

/** A message that has come. */
export interface EndedMessage {
  /** In bytes. */
  readonly length: number;
  readonly isCompressed: boolean;
  /** Bytes that it takes, when it is parsed, beyond what is taken for granted; nothing for a compressed one. */
  readonly beyond: number;
}

/** The part of a piece that has been seen. */
export interface SeenPart {
  /** In bytes, from its beginning. */
  readonly length: number;
  /** How much of it lies before the end of the last message that ends in it, in bytes. */
  readonly endedAt: number;
  /** The messages that end in it. */
  readonly ended: readonly EndedMessage[];
}
