const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/** The same as codes of characters, of the first and of the second digit. */
const FIRST_CODES: readonly number[] = HEX_OF_BYTE.map((digits) => digits.charCodeAt(0));
const SECOND_CODES: readonly number[] = HEX_OF_BYTE.map((digits) => digits.charCodeAt(1));

/** Bytes of the longest digest there is. */
const DIGEST_BYTES = 64;

/** Where the codes of a text are put together, by the number of its bytes: used again for each. */
const CODES: readonly number[][] = Array.from({ length: DIGEST_BYTES + 1 }, (_, length) =>
  new Array<number>(2 * length).fill(0),
);

/** Lower-case hexadecimal digits, two for each byte. */
export function encodeHex(bytes: Uint8Array): string {
  const codes = CODES[bytes.length];
  if (codes !== undefined) return shortHex(bytes, codes);
  let text = "";
  for (const byte of bytes) text += HEX_OF_BYTE[byte];
  return text;
}

/** In one piece: a text that was put together has to be made into one before it can be looked up. */
function shortHex(bytes: Uint8Array, codes: number[]): string {
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    codes[2 * index] = FIRST_CODES[byte] as number;
    codes[2 * index + 1] = SECOND_CODES[byte] as number;
  }
  return String.fromCharCode.apply(undefined, codes);
}

/** The bytes, or undefined when a character is no digit or the number of digits is odd. */
export function decodeHex(text: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(text.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}
