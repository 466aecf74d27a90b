/** A string as NARs have it; `padding` for wrong ones. */
export function raw(value: string | Uint8Array, padding = 0): Uint8Array {
  const bytes = Buffer.from(value);
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([word, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8, padding)]);
}

/** A length without what it promises. */
export function rawLength(length: bigint): Uint8Array {
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE(length);
  return word;
}

/** Parts of a NAR: strings are encoded, bytes are taken as they are. */
export function nar(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => (typeof part === "string" ? raw(part) : part))));
}

export const MAGIC = "nix-archive-1";

/** A whole regular file node. */
export const FILE = ["(", "type", "regular", "contents", "x", ")"] as const;

/** A directory of these entries, with a file each. */
export function directoryOf(...names: readonly (string | Uint8Array)[]): Uint8Array {
  const entries = names.flatMap((name) => ["entry", "(", "name", raw(name), "node", ...FILE, ")"]);
  return nar(MAGIC, "(", "type", "directory", ...entries, ")");
}

/** Nested directories around an empty one, `depth` nodes in all. */
export function nested(depth: number): Uint8Array {
  const open = nar("(", "type", "directory", "entry", "(", "name", "d", "node");
  const close = nar(")", ")");
  return nar(
    MAGIC,
    Buffer.concat(Array(depth - 1).fill(open)),
    "(",
    "type",
    "directory",
    ")",
    Buffer.concat(Array(depth - 1).fill(close)),
  );
}
