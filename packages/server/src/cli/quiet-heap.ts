/** A heap is quiet when so many readings in a row are as good as the same. */
const READINGS = 30;

/** By how much they may differ, in bytes. */
const SAME_BYTES = 4 << 20;

/** How much more than the least there has ever been is worth a look, in bytes. */
const WORTH_BYTES = 32 << 20;

/**
 * Tells when a heap has become quiet that holds more than it has to: V8 looks for garbage when more is allocated, so that
 * what a busy time has left behind stays for as long as nobody asks for anything.
 */
export class QuietHeap {
  readonly #readings: number[] = [];
  #least = Number.POSITIVE_INFINITY;
  /** Whether it has changed since garbage was last looked for. */
  #hasChanged = true;

  /**
   * Notes a reading.
   *
   * @param bytes of the heap and of its buffers
   * @returns whether it is time to look for garbage, once in each quiet time
   */
  note(bytes: number): boolean {
    this.#least = Math.min(this.#least, bytes);
    this.#readings.push(bytes);
    if (this.#readings.length > READINGS) this.#readings.shift();
    if (Math.max(...this.#readings) - Math.min(...this.#readings) > SAME_BYTES) this.#hasChanged = true;
    else if (this.#readings.length === READINGS && this.#hasChanged) {
      this.#hasChanged = false;
      return bytes >= this.#least + WORTH_BYTES;
    }
    return false;
  }
}
