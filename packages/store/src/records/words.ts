/** Numbers as u64, big-endian. */
export function words(...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) view.setBigUint64(8 * index, BigInt(number));
  return bytes;
}

/** So many of them, from the beginning. @throws RangeError for bytes that are shorter */
export function readWords(bytes: Uint8Array, count: number): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => Number(view.getBigUint64(8 * index)));
}
