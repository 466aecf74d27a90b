import type { ReadBlobOptions } from "./blob-service.ts";

/** Bytes from `start` up to `end` (not included), which may be Infinity. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** @throws RangeError when offset or length is no whole number from 0 on */
export function toByteRange({ offset = 0, length }: ReadBlobOptions): ByteRange {
  checkCount("offset", offset);
  if (length === undefined) return { start: offset, end: Number.POSITIVE_INFINITY };
  checkCount("length", length);
  return { start: offset, end: offset + length };
}

/** The part of bytes that begin at `offset` which lies within the range. */
export function clip(bytes: Uint8Array, offset: number, { start, end }: ByteRange): Uint8Array {
  return bytes.subarray(Math.max(0, start - offset), Math.max(0, end - offset));
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name} must be a whole number from 0 on, got ${value}`);
  }
}
