import type { NarFile, NarOutline } from "./entry.ts";
import { invalidEntry, NarLayout } from "./layout.ts";
import { encodeLength, padded, SEQUENCES, TOKENS } from "./wire/tokens.ts";

/** Options of everything that writes a NAR. */
export interface WriteNarOptions {
  /** Levels of nodes, the root being the first. Default 64, as in Nix. */
  readonly maxDepth?: number;
}

const ZEROS = new Uint8Array(8);

/**
 * A NAR as alternating parts: the syntax as bytes, and each file as the entry it came from,
 * which stands for its contents, `size` bytes. For those who have the contents elsewhere.
 *
 * @throws NarError INVALID_ENTRY for names, targets, sizes or an order that no NAR has,
 *   LIMIT_EXCEEDED when it is too deep
 */
export async function* narSegments<F extends Omit<NarFile, "contents">>(
  entries:
    | AsyncIterable<Exclude<NarOutline, { type: "file" }> | F>
    | Iterable<Exclude<NarOutline, { type: "file" }> | F>,
  options: WriteNarOptions = {},
): AsyncGenerator<Uint8Array | F, void, undefined> {
  const layout = new NarLayout(options);
  for await (const entry of entries) {
    const atRoot = layout.size === 0;
    layout.place(entry);
    yield* headOf(entry, atRoot);
    if (entry.type === "directory") continue;
    if (entry.type === "file") {
      yield entry;
      yield paddingOf(entry.size);
    }
    // The end of the node, and of the entry around it.
    yield layout.complete ? TOKENS.close : SEQUENCES.closeEntry;
  }
  if (!layout.complete) throw invalidEntry("the root has not ended");
}

/** What comes before the contents of an entry, in parts. */
function headOf(entry: NarOutline, atRoot: boolean): readonly Uint8Array[] {
  if (entry.type === "end") return [];
  const around = atRoot ? [TOKENS.magic] : [SEQUENCES.entry, ...stringOf(entry.name), TOKENS.node];
  switch (entry.type) {
    case "directory":
      return [...around, SEQUENCES.directory];
    case "symlink":
      return [...around, SEQUENCES.symlink, ...stringOf(entry.target)];
    case "file":
      return [
        ...around,
        entry.executable ? SEQUENCES.executableFile : SEQUENCES.regularFile,
        encodeLength(entry.size),
      ];
  }
}

function stringOf(bytes: Uint8Array): readonly Uint8Array[] {
  return [encodeLength(bytes.length), bytes, paddingOf(bytes.length)];
}

function paddingOf(length: number): Uint8Array {
  return ZEROS.subarray(0, padded(length) - length);
}
