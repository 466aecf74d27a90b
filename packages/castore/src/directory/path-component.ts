import { compareBytes, equalBytes, escapeBytes, toBytes } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";

/** Most bytes a name may have, as on every common file system. */
export const NAME_MAX_BYTES = 255;

const NUL = 0x00;
const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * The name of an entry in a directory: 1 to 255 bytes without NUL and slash, and
 * neither "." nor "..". Any other byte is fine; a name need not be UTF-8.
 */
export class PathComponent {
  /** The name. Shared, not copied: it must not be changed. */
  readonly bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Takes over a name, which must not change afterwards. A string stands for its UTF-8.
   *
   * @param field what the name is called in the error
   * @throws CastoreError INVALID_NAME that says which rule is broken
   */
  static from(name: Uint8Array | string, field = "name"): PathComponent {
    const bytes = toBytes(name);
    const fault = findFault(bytes);
    if (fault === undefined) return new PathComponent(bytes);
    throw new CastoreError("INVALID_NAME", `${field}: ${escapeBytes(bytes)} ${fault}`, { subject: field });
  }

  equals(other: PathComponent): boolean {
    return equalBytes(this.bytes, other.bytes);
  }

  /** Order of names in a directory: bytewise, so negative when this name comes first. */
  compare(other: PathComponent): number {
    return compareBytes(this.bytes, other.bytes);
  }

  /** The name as text; bytes that are not UTF-8 become U+FFFD, so it is for people only. */
  toString(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** The first rule that is broken, in the order in which tvix checks them. */
function findFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "cannot be empty";
  if (bytes.length === 2 && bytes[0] === DOT && bytes[1] === DOT) return "cannot be '..'";
  if (bytes.length === 1 && bytes[0] === DOT) return "cannot be '.'";
  if (bytes.length > NAME_MAX_BYTES) return `cannot be over ${NAME_MAX_BYTES} bytes long`;
  if (bytes.includes(NUL)) return "cannot contain null bytes";
  if (bytes.includes(SLASH)) return "cannot contain slashes";
  return undefined;
}
