/** Keys without anything open that are kept: most come again at once, and need not be added again. */
const KEPT = 1000;

interface Count {
  open: number;
}

/** Counts what is open, by whom it is for. */
export class KeyedCount {
  readonly #counts: Map<string, Count> = new Map();
  /** How many of them are zero. */
  #zeros = 0;

  /** How much is open for somebody. */
  of(key: string): number {
    return this.#counts.get(key)?.open ?? 0;
  }

  add(key: string): void {
    const count = this.#counts.get(key);
    if (count === undefined) {
      this.#counts.set(key, { open: 1 });
      return;
    }
    if (count.open === 0) this.#zeros--;
    count.open++;
  }

  /** Takes one away that was added. */
  remove(key: string): void {
    const count = this.#counts.get(key);
    if (count === undefined || count.open === 0) return;
    count.open--;
    if (count.open > 0) return;
    this.#zeros++;
    if (this.#zeros > KEPT) this.#forgetZeros();
  }

  #forgetZeros(): void {
    for (const [key, { open }] of this.#counts) if (open === 0) this.#counts.delete(key);
    this.#zeros = 0;
  }
}
