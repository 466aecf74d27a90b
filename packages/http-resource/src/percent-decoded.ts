/**
 * The bytes of a part of a URL: whatever is encoded need not be UTF-8, and what is no encoding stands for itself. A plus is
 * a plus.
 */
export function percentDecoded(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const decoded = new Uint8Array(bytes.length);
  let length = 0;
  for (let index = 0; index < bytes.length; index++) {
    const digits =
      bytes[index] === PERCENT ? /^[0-9a-f]{2}/i.exec(twoCharacters(bytes, index + 1))?.[0] : undefined;
    if (digits !== undefined) index += 2;
    decoded[length++] = digits === undefined ? (bytes[index] as number) : Number.parseInt(digits, 16);
  }
  return decoded.slice(0, length);
}

const PERCENT = 0x25;

function twoCharacters(bytes: Uint8Array, start: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + 2));
}
