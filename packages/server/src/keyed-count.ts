/** Counts what is open, by whom it is for. */
export class KeyedCount {
  readonly #counts: Map<string, number> = new Map();

  /** How much is open for somebody. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  /** Takes one away that was added. */
  remove(key: string): void {
    const left = this.of(key) - 1;
    if (left <= 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}
