const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/** The same as codes of characters. */
const CODES_OF_BYTE: readonly (readonly [number, number])[] = HEX_OF_BYTE.map((digits) => [
  digits.charCodeAt(0),
  digits.charCodeAt(1),
]);

/** Bytes of the longest digest there is. */
const DIGEST_BYTES = 64;

/** Lower-case hexadecimal digits, two for each byte. */
export function encodeHex(bytes: Uint8Array): string {
  if (bytes.length <= DIGEST_BYTES) return shortHex(bytes);
  let text = "";
  for (const byte of bytes) text += HEX_OF_BYTE[byte];
  return text;
}

/** In one piece: a text that was put together has to be made into one before it can be looked up. */
function shortHex(bytes: Uint8Array): string {
  const codes: number[] = [];
  for (const byte of bytes) {
    const [first, second] = CODES_OF_BYTE[byte] as readonly [number, number];
    codes.push(first, second);
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
