import { escapeBytes } from "@tvix/byte-stream";
import type { NarOutline } from "./entry.ts";
import { NarError } from "./errors.ts";
import { NAR_MAX_DEPTH } from "./limits.ts";
import { nameFault, orderFault, targetFault } from "./names.ts";
import { padded, SEQUENCES, TOKENS, WORD_BYTES } from "./wire/tokens.ts";

/** Where the parts of an entry lie in a NAR, in bytes from its beginning. */
export interface NarPlace {
  /** What belongs to the entry begins here: for the root, the NAR. */
  readonly start: number;
  /** The contents of a file, or the place behind the head of any other entry. */
  readonly contents: number;
  /** The next entry begins here. */
  readonly end: number;
}

/**
 * Computes where everything lies in a NAR from names and sizes alone, and checks on the way
 * that the sequence is one that may be written. Memory grows with the depth only.
 */
export class NarLayout {
  readonly #maxDepth: number;
  /** The last name in each open directory. */
  readonly #open: (Uint8Array | undefined)[] = [];
  #size = 0;
  #complete = false;

  constructor({ maxDepth = NAR_MAX_DEPTH }: { readonly maxDepth?: number } = {}) {
    this.#maxDepth = maxDepth;
  }

  /** Length so far, in bytes; that of the whole NAR when it is complete. */
  get size(): number {
    return this.#size;
  }

  /** Whether the root has ended. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Takes the next entry.
   *
   * @throws NarError INVALID_ENTRY for a name, target, size or order that no NAR has,
   *   LIMIT_EXCEEDED when it is too deep
   */
  place(entry: NarOutline): NarPlace {
    if (this.#complete) throw invalidEntry("an entry behind the end of the root");
    const start = this.#size;
    const contents = start + this.#headLength(entry);
    let end = contents;
    if (entry.type === "file") end += padded(checkedSize(entry.size)) + TOKENS.close.length;
    const depth = this.#open.length;
    if (entry.type !== "directory" && depth > 0) end += TOKENS.close.length;
    if (entry.type === "directory") this.#open.push(undefined);
    this.#complete = this.#open.length === 0;
    this.#size = end;
    return { start, contents, end };
  }

  /** Length of what comes before the contents; checks the entry against its directory. */
  #headLength(entry: NarOutline): number {
    if (entry.type === "end") {
      if (this.#open.length === 0) throw invalidEntry("the end of no directory");
      this.#open.pop();
      return TOKENS.close.length;
    }
    const around = this.#aroundLength(entry.name);
    if (entry.type === "directory") return around + SEQUENCES.directory.length;
    if (entry.type === "symlink") {
      const fault = targetFault(entry.target);
      if (fault !== undefined) throw invalidEntry(`the target of ${escapeBytes(entry.name)} ${fault}`);
      return around + SEQUENCES.symlink.length + stringLength(entry.target) + TOKENS.close.length;
    }
    const sequence = entry.executable ? SEQUENCES.executableFile : SEQUENCES.regularFile;
    return around + sequence.length + WORD_BYTES;
  }

  /** Length of what comes before a node: its name in its directory, or the head of the NAR. */
  #aroundLength(name: Uint8Array): number {
    const depth = this.#open.length;
    if (depth >= this.#maxDepth) {
      const text = `${escapeBytes(name)} lies deeper than ${this.#maxDepth} levels`;
      throw new NarError("LIMIT_EXCEEDED", text);
    }
    if (depth === 0) {
      if (name.length > 0) throw invalidEntry("the root has a name");
      return TOKENS.magic.length;
    }
    const fault = nameFault(name) ?? orderFault(this.#open[depth - 1], name);
    if (fault !== undefined) throw invalidEntry(`the name ${escapeBytes(name)} ${fault}`);
    this.#open[depth - 1] = name;
    return SEQUENCES.entry.length + stringLength(name) + TOKENS.node.length;
  }
}

/** Length of a NAR, in bytes, without rendering it. */
export async function narSize(outline: AsyncIterable<NarOutline> | Iterable<NarOutline>): Promise<number> {
  const layout = new NarLayout();
  for await (const entry of outline) layout.place(entry);
  if (!layout.complete) throw invalidEntry("the root has not ended");
  return layout.size;
}

function stringLength(bytes: Uint8Array): number {
  return WORD_BYTES + padded(bytes.length);
}

function checkedSize(size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw invalidEntry(`${size} is no length of a file`);
}

export function invalidEntry(why: string): NarError {
  return new NarError("INVALID_ENTRY", `cannot be written as a NAR: ${why}`);
}
