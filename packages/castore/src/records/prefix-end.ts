import { copyBytes } from "@tvix/byte-stream";
/** The first key, in the order of bytes, behind all that begin with a prefix; undefined when there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.findLastIndex((byte) => byte !== 0xff);
  // Nothing lies behind those of an empty prefix, nor behind those of one that is all 0xff.
  if (last < 0) return undefined;
  const end = copyBytes(prefix.subarray(0, last + 1));
  end[last] = (end[last] as number) + 1;
  return end;
}
