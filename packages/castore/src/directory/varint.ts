/** Above it numbers are no integers any more. */
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Bytes that a number takes as a varint of protobuf, seven bits in each. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** The same for 64 bits. */
export function varint64Length(value: bigint): number {
  if (value <= MAX_SAFE) return varintLength(Number(value));
  let length = 1;
  for (let rest = value; rest >= 0x80n; rest >>= 7n) length++;
  return length;
}

/** Writes a number as a varint, the lowest seven bits first. @returns where it ends */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let [end, rest] = [at, value];
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[end++] = (rest % 0x80) | 0x80;
  bytes[end++] = rest;
  return end;
}

/** The same for 64 bits. */
export function writeVarint64(bytes: Uint8Array, at: number, value: bigint): number {
  if (value <= MAX_SAFE) return writeVarint(bytes, at, Number(value));
  let [end, rest] = [at, value];
  for (; rest >= 0x80n; rest >>= 7n) bytes[end++] = Number(rest & 0x7fn) | 0x80;
  bytes[end++] = Number(rest);
  return end;
}
