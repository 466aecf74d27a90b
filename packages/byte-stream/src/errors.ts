/** A stream was longer than its consumer allows. */
export class StreamTooLongError extends Error {
  override readonly name = "StreamTooLongError";
  /** Most bytes allowed. */
  readonly maxBytes: number;

  constructor(maxBytes: number) {
    super(`stream is longer than ${maxBytes} bytes`);
    this.maxBytes = maxBytes;
  }
}

/** A stream ended in the middle of what its consumer needs. */
export class StreamEndedError extends Error {
  override readonly name = "StreamEndedError";
  /** Bytes needed. */
  readonly expected: number;
  /** Bytes that were left. */
  readonly found: number;

  constructor(expected: number, found: number) {
    super(`stream ended early: expected ${expected} bytes, found ${found}`);
    this.expected = expected;
    this.found = found;
  }
}
