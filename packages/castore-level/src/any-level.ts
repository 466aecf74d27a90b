/** How keys and values go in and come out. */
export interface Views {
  readonly keyEncoding: "view";
  readonly valueEncoding: "view";
}

/**
 * Any database of the Level family, whatever its default encodings are: what is used of
 * https://github.com/Level/abstract-level.
 */
export interface AnyLevel {
  readonly status: string;
  /** What it can do; `getSync` where it reads on the spot. */
  readonly supports: object;
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: Uint8Array, options: Views): Promise<Uint8Array | undefined>;
  getSync(key: Uint8Array, options: Views): Uint8Array | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: each database has a type of its own for what it is given
  batch(changes: any[], options: Views): Promise<void>;
  iterator(range: Views & object): AsyncIterable<[key: Uint8Array, value: Uint8Array]>;
}
