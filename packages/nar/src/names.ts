import { compareBytes } from "@tvix/byte-stream";
import { NAR_NAME_MAX_BYTES, NAR_TARGET_MAX_BYTES } from "./limits.ts";

const NUL = 0x00;
const SLASH = 0x2f;
const DOT = 0x2e;

/** What is wrong with the name of an entry; undefined when nothing is. */
export function nameFault(name: Uint8Array): string | undefined {
  if (name.length === 0) return "is empty";
  if (name.length > NAR_NAME_MAX_BYTES) return `is longer than ${NAR_NAME_MAX_BYTES} bytes`;
  if (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))) {
    return "stands for a directory";
  }
  if (name.includes(NUL)) return "contains a null byte";
  if (name.includes(SLASH)) return "contains a slash";
  return undefined;
}

/** What is wrong with the order of a name in its directory; undefined when nothing is. */
export function orderFault(previous: Uint8Array | undefined, name: Uint8Array): string | undefined {
  if (previous === undefined) return undefined;
  const order = compareBytes(previous, name);
  if (order < 0) return undefined;
  return order === 0 ? "comes twice" : "is not sorted";
}

/** What is wrong with the target of a link; undefined when nothing is. */
export function targetFault(target: Uint8Array): string | undefined {
  if (target.length === 0) return "is empty";
  if (target.length > NAR_TARGET_MAX_BYTES) return `is longer than ${NAR_TARGET_MAX_BYTES} bytes`;
  return target.includes(NUL) ? "contains a null byte" : undefined;
}
