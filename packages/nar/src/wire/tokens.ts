import { concatBytes } from "@tvix/byte-stream";

/**
 * The grammar, in which each word is a string: its length (u64, little-endian), its bytes, and
 * zeros up to a multiple of 8.
 *
 *     archive = "nix-archive-1" node
 *     node    = "(" "type" "regular" [ "executable" "" ] "contents" bytes ")"
 *             | "(" "type" "symlink" "target" bytes ")"
 *             | "(" "type" "directory" { entry } ")"
 *     entry   = "entry" "(" "name" bytes "node" node ")"
 *
 * Source: the Nix manual, "Nix Archive (NAR) format".
 */

/** Strings are padded to a multiple of so many bytes; a length takes as many. */
export const WORD_BYTES = 8;

/** Length of a string with its padding, without the length in front. */
export function padded(length: number): number {
  return Math.ceil(length / WORD_BYTES) * WORD_BYTES;
}

/** The bytes of a length. */
export function encodeLength(length: number): Uint8Array {
  const word = new Uint8Array(WORD_BYTES);
  const words = new DataView(word.buffer);
  words.setUint32(0, length % 2 ** 32, true);
  words.setUint32(4, Math.floor(length / 2 ** 32), true);
  return word;
}

function encodeStrings(...strings: readonly string[]): Uint8Array {
  return concatBytes(
    strings.flatMap((text) => {
      const bytes = new TextEncoder().encode(text);
      return [encodeLength(bytes.length), bytes, new Uint8Array(padded(bytes.length) - bytes.length)];
    }),
  );
}

type Word =
  | "magic"
  | "nodeStart"
  | "regular"
  | "executable"
  | "contents"
  | "symlink"
  | "target"
  | "directory"
  | "entry"
  | "nameStart"
  | "node"
  | "close";

type Sequence = "regularFile" | "executableFile" | "symlink" | "directory" | "entry" | "closeEntry";

/** Words that always come together, as they are written. */
export const TOKENS: Readonly<Record<Word, Uint8Array>> = {
  magic: encodeStrings("nix-archive-1"),
  nodeStart: encodeStrings("(", "type"),
  regular: encodeStrings("regular"),
  executable: encodeStrings("executable", ""),
  contents: encodeStrings("contents"),
  symlink: encodeStrings("symlink"),
  target: encodeStrings("target"),
  directory: encodeStrings("directory"),
  entry: encodeStrings("entry"),
  nameStart: encodeStrings("(", "name"),
  node: encodeStrings("node"),
  close: encodeStrings(")"),
};

/** Longer sequences, for the writer. */
export const SEQUENCES: Readonly<Record<Sequence, Uint8Array>> = {
  regularFile: concatBytes([TOKENS.nodeStart, TOKENS.regular, TOKENS.contents]),
  executableFile: concatBytes([TOKENS.nodeStart, TOKENS.regular, TOKENS.executable, TOKENS.contents]),
  symlink: concatBytes([TOKENS.nodeStart, TOKENS.symlink, TOKENS.target]),
  directory: concatBytes([TOKENS.nodeStart, TOKENS.directory]),
  entry: concatBytes([TOKENS.entry, TOKENS.nameStart]),
  closeEntry: concatBytes([TOKENS.close, TOKENS.close]),
};
