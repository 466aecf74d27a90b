import { NixCompatError, quoted } from "./errors.ts";

/**
 * Nix's base 32: digits are bits of the bytes read as one little-endian number, the most
 * significant first. The alphabet leaves out e, o, t and u, so that no digest spells a word.
 *
 * Source: `src/libutil/hash.cc` of Nix.
 */
const ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz";

const DIGIT_OF_CODE: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const digit = ALPHABET.indexOf(String.fromCharCode(code));
  return digit < 0 ? undefined : digit;
});

/** Number of digits for so many bytes. */
export function nixbase32Length(byteLength: number): number {
  return Math.ceil((byteLength * 8) / 5);
}

/** The digits of some bytes. */
export function encodeNixbase32(bytes: Uint8Array): string {
  let text = "";
  for (let digit = nixbase32Length(bytes.length) - 1; digit >= 0; digit--) {
    const bit = digit * 5;
    const byte = bit >> 3;
    const pair = (bytes[byte] as number) | ((bytes[byte + 1] ?? 0) << 8);
    text += ALPHABET[(pair >> (bit & 7)) & 0x1f];
  }
  return text;
}

/**
 * The bytes of some digits. Each byte string has exactly one text.
 *
 * @throws NixCompatError INVALID_NIXBASE32 when no byte string has that many digits, at the
 *   first character that is no digit, or when unused bits are set
 */
export function decodeNixbase32(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  if (nixbase32Length(bytes.length) !== text.length) {
    throw invalid(text, `no byte string has ${text.length} digits`);
  }
  for (let index = 0; index < text.length; index++) {
    const digit = DIGIT_OF_CODE[text.charCodeAt(index)];
    if (digit === undefined) throw invalid(text, `character ${index} is no digit`);
    const bit = (text.length - 1 - index) * 5;
    const byte = bit >> 3;
    const shifted = digit << (bit & 7);
    if (byte < bytes.length) bytes[byte] = (bytes[byte] as number) | (shifted & 0xff);
    const carry = byte < bytes.length ? shifted >> 8 : shifted;
    if (carry === 0) continue;
    if (byte + 1 >= bytes.length) throw invalid(text, "unused bits are set");
    bytes[byte + 1] = (bytes[byte + 1] as number) | carry;
  }
  return bytes;
}

function invalid(text: string, why: string): NixCompatError {
  return new NixCompatError("INVALID_NIXBASE32", `not nixbase32: ${quoted(text)}: ${why}`);
}
