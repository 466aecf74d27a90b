/** A copy in memory of its own: `slice` of a Buffer would share its memory. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** How many bytes of a name an error message shows. */
const SHOWN_BYTES = 100;

/**
 * The bytes of a name or target; a string stands for its UTF-8.
 *
 * @throws TypeError for anything else, and for a string that has no UTF-8
 */
export function toBytes(value: Uint8Array | string): Uint8Array {
  if (value instanceof Uint8Array) return plainBytes(value);
  if (typeof value !== "string") throw new TypeError("expected a string or a Uint8Array");
  if (!value.isWellFormed()) throw new TypeError("a string with half of a surrogate pair has no UTF-8");
  return new TextEncoder().encode(value);
}

/** The same memory without the methods of Node's Buffer, of which `slice` does not copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytewise order: negative when `a` comes first, 0 when they are equal. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/**
 * Bytes for a message to a person: in double quotes, printable ASCII as it is, everything
 * else as `\xNN`, cut off after 100 bytes.
 */
export function escapeBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes.subarray(0, SHOWN_BYTES)) {
    const character = String.fromCharCode(byte);
    if (character === '"' || character === "\\") text += `\\${character}`;
    else if (byte >= 0x20 && byte < 0x7f) text += character;
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}${bytes.length > SHOWN_BYTES ? "…" : ""}"`;
}
