/** Bytes in front of each message: flags, and its length (gRPC, gRPC-Web and Connect alike). */
const HEAD_BYTES = 5;

/** Set in the flags of a message that is compressed. */
const COMPRESSED = 1;

/** Follows the messages in a body as its pieces come. */
export class MessageBoundaries {
  readonly #head: DataView = new DataView(new ArrayBuffer(HEAD_BYTES));
  #headFilled = 0;
  #left = 0;
  #length = 0;
  #isCompressed = false;

  /** Whether what has come ends with a message: its client may take its time for the next one. */
  get isBetweenMessages(): boolean {
    return this.#headFilled === 0 && this.#left === 0;
  }

  /** Bytes of the message that has come in part. */
  get begunBytes(): number {
    return this.#left > 0 ? this.#length - this.#left : 0;
  }

  /**
   * Sees a piece.
   *
   * @returns the messages that end in it: their length in bytes, and whether they are compressed
   */
  see(piece: Uint8Array): readonly EndedMessage[] {
    const ended: EndedMessage[] = [];
    for (let at = 0; at < piece.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, piece.length - at);
        this.#left -= taken;
        at += taken;
      } else {
        this.#head.setUint8(this.#headFilled++, piece[at++] as number);
        if (this.#headFilled < HEAD_BYTES) continue;
        this.#headFilled = 0;
        this.#length = this.#head.getUint32(1);
        this.#left = this.#length;
        this.#isCompressed = (this.#head.getUint8(0) & COMPRESSED) !== 0;
      }
      if (this.#left === 0) ended.push({ length: this.#length, isCompressed: this.#isCompressed });
    }
    return ended;
  }
}

/** A message that has come. */
export interface EndedMessage {
  readonly length: number;
  readonly isCompressed: boolean;
}
