import type { NarRange } from "../render-range.ts";
import type { StoredPart, StoredParts } from "./parts.ts";

/** Parts that are read and put together at once. */
export interface Unit {
  readonly parts: StoredParts;
  /** Length of what is made of them, in bytes. */
  readonly length: number;
  /** What of that lies in the range that is wanted. */
  readonly from: number;
  readonly to: number;
}

/**
 * A unit ends when it has that many bytes. Each of many slow readers holds two, whatever is left of the budget: longer
 * ones would be faster for one reader, and take more memory than there is for sixty.
 */
const UNIT_BYTES = 128 << 10;

/**
 * Puts parts together to units, and leaves out what lies outside of a range.
 *
 * @param lengthOf a part in the form that is made
 * @param range in bytes of that form
 */
export async function* unitsOf(
  parts: AsyncIterable<StoredParts>,
  lengthOf: (part: StoredPart) => number,
  { start, end }: NarRange,
): AsyncGenerator<Unit, void, undefined> {
  let unit: StoredPart[] = [];
  let length = 0;
  let position = 0;
  const complete = (): Unit => {
    const begins = position - length;
    const made = {
      parts: unit,
      length,
      from: Math.max(0, start - begins),
      to: Math.min(length, end - begins),
    };
    unit = [];
    length = 0;
    return made;
  };
  for await (const some of parts) {
    for (const part of some) {
      if (position >= end) break;
      const partLength = lengthOf(part);
      position += partLength;
      if (position <= start) continue;
      unit.push(part);
      length += partLength;
      if (length >= UNIT_BYTES) yield complete();
    }
    if (position >= end) break;
  }
  if (length > 0) yield complete();
}
