import { equalBytes, escapeBytes, toBytes } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";

/** Most bytes a target may have: Linux's PATH_MAX without the NUL at the end. */
export const TARGET_MAX_BYTES = 4095;

/**
 * What a symbolic link points to, verbatim: 1 to 4095 bytes without NUL. It need not be
 * UTF-8, exist or stay inside the tree; this library never follows it.
 */
export class SymlinkTarget {
  /** The target. Shared, not copied: it must not be changed. */
  readonly bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Takes over a target, which must not change afterwards. A string stands for its UTF-8.
   *
   * @param field what the target is called in the error
   * @throws CastoreError INVALID_SYMLINK_TARGET that says which rule is broken
   */
  static from(target: Uint8Array | string, field = "target"): SymlinkTarget {
    const bytes = toBytes(target);
    const fault = findFault(bytes);
    if (fault === undefined) return new SymlinkTarget(bytes);
    throw new CastoreError("INVALID_SYMLINK_TARGET", `${field}: ${escapeBytes(bytes)} ${fault}`, {
      subject: field,
    });
  }

  equals(other: SymlinkTarget): boolean {
    return equalBytes(this.bytes, other.bytes);
  }

  /** The target as text; bytes that are not UTF-8 become U+FFFD, so it is for people only. */
  toString(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

function findFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "cannot be empty";
  if (bytes.length > TARGET_MAX_BYTES) return `cannot be over ${TARGET_MAX_BYTES} bytes long`;
  if (bytes.includes(0x00)) return "cannot contain null bytes";
  return undefined;
}
