import { B3_DIGEST_LENGTH } from "../digest/b3-digest.ts";
import { type DirectoryEntry, U64_MAX } from "./node.ts";

/**
 * Looks at what the compiler has not seen: what is taken from somebody who writes JavaScript is stored, and has to be read
 * again. By their parts and not by their classes, of which a program may have two copies.
 *
 * @throws TypeError, or RangeError for a size that 64 bits cannot hold
 */
export function assertEntry(entry: DirectoryEntry, index: number): void {
  const { name, node } = entry ?? {};
  const where = () => `entries[${index}]`;
  if (!isBytes(name?.bytes)) throw new TypeError(`${where()}.name: expected a PathComponent`);
  switch (node?.type) {
    case "symlink":
      if (!isBytes(node.target?.bytes))
        throw new TypeError(`${where()}.node.target: expected a SymlinkTarget`);
      return;
    case "file":
      if (typeof node.executable !== "boolean") {
        throw new TypeError(`${where()}.node.executable: expected true or false`);
      }
      break;
    case "directory":
      break;
    default:
      throw new TypeError(`${where()}.node.type: expected "directory", "file" or "symlink"`);
  }
  const { digest, size } = node;
  if (!isBytes(digest?.bytes) || digest.bytes.length !== B3_DIGEST_LENGTH) {
    throw new TypeError(`${where()}.node.digest: expected a B3Digest`);
  }
  if (typeof size !== "bigint") throw new TypeError(`${where()}.node.size: expected a bigint`);
  if (size < 0n || size > U64_MAX) throw new RangeError(`${where()}.node.size: ${size} is none of 64 bits`);
}

function isBytes(value: unknown): boolean {
  return value instanceof Uint8Array;
}
