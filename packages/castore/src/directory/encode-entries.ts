import type { DirectoryEntry, Node } from "./node.ts";
import { varint64Length, varintLength, writeVarint, writeVarint64 } from "./varint.ts";

/** Fields of a Directory, in the order in which they are written, each a list of messages. */
const LISTS: readonly { readonly type: Node["type"]; readonly field: number }[] = [
  { type: "directory", field: 1 },
  { type: "file", field: 2 },
  { type: "symlink", field: 3 },
];

/** Fields of a DirectoryNode and of a FileNode. */
const NAME = 1;
const DIGEST = 2;
const SIZE = 3;
const EXECUTABLE = 4;

/** What a SymlinkNode has beside its name. */
const TARGET = 2;

/** How a value follows its field number. */
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/**
 * The canonical encoding of sorted entries, as every protobuf library writes a Directory: fields in ascending order,
 * defaults left out. Written here because it is done for each directory that comes in, and takes a library, which goes
 * by a description of the message, several times as long.
 */
export function encodeEntries(entries: readonly DirectoryEntry[]): Uint8Array {
  let length = 0;
  for (const entry of entries) {
    const bytes = bytesOfNode(entry);
    length += 1 + varintLength(bytes) + bytes;
  }
  const encoded = new Uint8Array(length);
  let at = 0;
  for (const { type, field } of LISTS) {
    for (const entry of entries) {
      if (entry.node.type !== type) continue;
      encoded[at++] = tagOf(field, LENGTH_DELIMITED);
      at = writeVarint(encoded, at, bytesOfNode(entry));
      at = writeNode(encoded, at, entry);
    }
  }
  return encoded;
}

/** Length of the message of a node. */
function bytesOfNode({ name, node }: DirectoryEntry): number {
  const named = bytesOfField(name.bytes);
  if (node.type === "symlink") return named + bytesOfField(node.target.bytes);
  const size = node.size === 0n ? 0 : 1 + varint64Length(node.size);
  const executable = node.type === "file" && node.executable ? 2 : 0;
  return named + bytesOfField(node.digest.bytes) + size + executable;
}

function bytesOfField({ length }: Uint8Array): number {
  return 1 + varintLength(length) + length;
}

/** Writes the message of a node. @returns where it ends */
function writeNode(encoded: Uint8Array, begin: number, { name, node }: DirectoryEntry): number {
  let at = writeField(encoded, begin, NAME, name.bytes);
  if (node.type === "symlink") return writeField(encoded, at, TARGET, node.target.bytes);
  at = writeField(encoded, at, DIGEST, node.digest.bytes);
  if (node.size !== 0n) {
    encoded[at++] = tagOf(SIZE, VARINT);
    at = writeVarint64(encoded, at, node.size);
  }
  if (node.type === "file" && node.executable) {
    encoded[at++] = tagOf(EXECUTABLE, VARINT);
    encoded[at++] = 1;
  }
  return at;
}

/** Names, digests and targets are never empty, which would be left out. */
function writeField(encoded: Uint8Array, begin: number, field: number, value: Uint8Array): number {
  encoded[begin] = tagOf(field, LENGTH_DELIMITED);
  const at = writeVarint(encoded, begin + 1, value.length);
  encoded.set(value, at);
  return at + value.length;
}

function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType;
}
