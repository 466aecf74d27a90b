/** What a stream may have unread without being accounted for, while there are no more than so many streams. */
const FREE_BYTES = 16 << 10;
const FEW_STREAMS = 1000;

/** Memory is tight with more streams than this, or with more than one part in so many of what may be held. */
const CALM_STREAMS = 64;
const CALM_PART = 4;

/** What all streams have received that is not read yet. */
export class UnreadBytes {
  readonly #capacity: number;
  #held = 0;
  #streams = 0;

  /** @param capacity bytes that may be held at once, beyond what is free */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** What each stream may have without holding it, in bytes. */
  get freeBytes(): number {
    return this.#streams <= FEW_STREAMS ? FREE_BYTES : 0;
  }

  /** Whether what is kept takes no more memory than it has to. */
  get isTight(): boolean {
    return this.#streams > CALM_STREAMS || this.#held > this.#capacity / CALM_PART;
  }

  /** There is one more stream; followed by one {@link end}. */
  begin(): void {
    this.#streams++;
  }

  end(): void {
    this.#streams--;
  }

  /** Holds so many bytes if there is room for them; each is given back by {@link release}. */
  tryHold(bytes: number): boolean {
    if (this.#held + bytes > this.#capacity) return false;
    this.#held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#held -= bytes;
  }
}
