import { idOf, isTokenOf, type TokenRecord } from "./token.ts";
import type { TokenFile } from "./token-file.ts";

/** How old what is known of the file may be, in milliseconds. */
const FRESH_MS = 1000;

/** The tokens of a file, read again when it has changed. */
export class KnownTokens {
  readonly #file: TokenFile;
  readonly #onFailure: (error: unknown) => void;
  #records: ReadonlyMap<string, TokenRecord> = new Map();
  #version: string | undefined;
  #looked = Number.NEGATIVE_INFINITY;

  /**
   * @param onFailure told when a changed file cannot be read; what was known before goes on to hold
   * @throws Error when the file is there and cannot be read
   */
  constructor(file: TokenFile, onFailure: (error: unknown) => void) {
    this.#file = file;
    this.#onFailure = onFailure;
    this.#read();
  }

  /** Whether there is a token. */
  get any(): boolean {
    this.#look();
    return this.#records.size > 0;
  }

  /** What is known of a token; undefined when it is none, was revoked or has another secret. */
  find(text: string): TokenRecord | undefined {
    this.#look();
    const id = idOf(text);
    const record = id === undefined ? undefined : this.#records.get(id);
    return record !== undefined && isTokenOf(text, record) ? record : undefined;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#looked < FRESH_MS) return;
    this.#looked = now;
    try {
      if (this.#file.version() !== this.#version) this.#read();
    } catch (error) {
      this.#onFailure(error);
    }
  }

  #read(): void {
    // What is written while it is read is read again.
    const version = this.#file.version();
    this.#records = new Map(this.#file.read().map((record) => [record.id, record]));
    this.#version = version;
  }
}
