/** A block with so many names is divided. */
const MAX_BLOCK = 1024;

/** Names in order, each once, in blocks: to put one there moves those of its block only. */
export class SortedNames {
  /** None is empty, but for the first one while there are no names. */
  readonly #blocks: string[][] = [[]];

  /** Puts a name that is not there. */
  add(name: string): void {
    const number = this.#blockOf(name);
    const block = this.#blocks[number] as string[];
    block.splice(placeIn(block, name), 0, name);
    if (block.length >= MAX_BLOCK) this.#blocks.splice(number + 1, 0, block.splice(MAX_BLOCK / 2));
  }

  /** Takes away a name that is there. */
  remove(name: string): void {
    const number = this.#blockOf(name);
    const block = this.#blocks[number] as string[];
    block.splice(placeIn(block, name), 1);
    if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(number, 1);
  }

  /** The first name that is not before this one, there or not; undefined when all are. */
  from(name: string): string | undefined {
    const number = this.#blockOf(name);
    const block = this.#blocks[number] as string[];
    return block[placeIn(block, name)] ?? this.#blocks[number + 1]?.[0];
  }

  /** The last block that does not begin behind a name. */
  #blockOf(name: string): number {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#blocks[middle]?.[0] as string) <= name) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Where the first name stands that is not before this one. */
function placeIn(block: readonly string[], name: string): number {
  let [low, high] = [0, block.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
