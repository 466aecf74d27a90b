/** A part of a resource. */
export interface ByteRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Place behind the last byte. */
  readonly end: number;
}

const SINGLE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * Reads the header `Range`.
 *
 * @param length of the resource, in bytes
 * @returns undefined where the whole is to be sent: no range, several, or none that we know
 *   of; `unsatisfiable` for one that begins behind the end, or that ends before it begins
 */
export function parseRange(
  header: string | undefined,
  length: number,
): ByteRange | "unsatisfiable" | undefined {
  const [, first, last] = SINGLE_RANGE.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const suffix = Number(last);
    if (suffix === 0 || length === 0) return "unsatisfiable";
    return { start: Math.max(0, length - suffix), end: length };
  }
  const start = Number(first);
  const end = last === "" ? length : Math.min(length, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}
