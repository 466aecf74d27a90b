/** Of CRC-32, as zlib computes it, with the bits of bytes in reverse order. */
const POLYNOMIAL = 0xedb88320;

/** What a byte adds, and by its own highest byte, which byte that was. */
const [TABLE, BYTES] = tables();

function tables(): readonly [Uint32Array, Uint8Array] {
  const table = new Uint32Array(256);
  const bytes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ ((value & 1) * POLYNOMIAL);
    table[byte] = value;
    bytes[(value >>> 24) & 0xff] = byte;
  }
  return [table, bytes];
}

/** The CRC-32 of what lies in front of some bytes, from that of both: each step of it can be undone. */
export function crc32Before(bytes: Uint8Array, crc: number): number {
  let value = ~crc >>> 0;
  for (let at = bytes.length - 1; at >= 0; at--) {
    const index = BYTES[value >>> 24] as number;
    value = (((value ^ (TABLE[index] as number)) << 8) | (index ^ (bytes[at] as number))) >>> 0;
  }
  return ~value >>> 0;
}
