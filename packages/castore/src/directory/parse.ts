import { fromBinary } from "@bufbuild/protobuf";
import { compareBytes, escapeBytes } from "@tvix/byte-stream";
import { DirectorySchema } from "@tvix/protocol/tvix/castore";
import { B3Digest } from "../digest/b3-digest.ts";
import { CastoreError } from "../errors/castore-error.ts";
import { Directory } from "./directory.ts";
import type {
  DirectoryMessage,
  DirectoryNodeMessage,
  FileNodeMessage,
  SymlinkNodeMessage,
} from "./messages.ts";
import type { DirectoryEntry, DirectoryNode, FileNode, Node, SymlinkNode } from "./node.ts";
import { PathComponent } from "./path-component.ts";
import { SymlinkTarget } from "./symlink-target.ts";

/**
 * Reads a Directory message: order within each list, then each entry, then the whole.
 * Unknown fields are left out.
 *
 * @throws CastoreError INVALID_ORDER, DUPLICATE_NAME, INVALID_NODE, INVALID_NAME or
 *   SIZE_OVERFLOW, with field and value in the message
 */
export function parseDirectory(message: DirectoryMessage): Directory {
  checkOrder("directories", message.directories);
  checkOrder("files", message.files);
  checkOrder("symlinks", message.symlinks);
  const entries: DirectoryEntry[] = [
    ...message.directories.map((entry, index) =>
      parseEntry(`directories[${index}]`, entry, parseDirectoryNode),
    ),
    ...message.files.map((entry, index) => parseEntry(`files[${index}]`, entry, parseFileNode)),
    ...message.symlinks.map((entry, index) => parseEntry(`symlinks[${index}]`, entry, parseSymlinkNode)),
  ];
  return Directory.of(entries);
}

/**
 * Reads an encoded Directory of a known digest.
 *
 * @throws CastoreError CORRUPT when the bytes are not those the digest names
 */
export function decodeDirectory(encoded: Uint8Array, expected: B3Digest): Directory {
  const found = B3Digest.of(encoded);
  if (!found.equals(expected)) {
    throw new CastoreError("CORRUPT", `directory ${expected} has contents of digest ${found}`, {
      subject: expected.toString(),
    });
  }
  try {
    return parseDirectory(fromBinary(DirectorySchema, encoded));
  } catch (cause) {
    throw new CastoreError("CORRUPT", `directory ${expected} does not parse`, {
      cause,
      subject: expected.toString(),
    });
  }
}

const NO_NAME = new Uint8Array(0);

function checkOrder(list: string, entries: readonly { name: Uint8Array }[]): void {
  let previous: Uint8Array = NO_NAME;
  entries.forEach(({ name }, index) => {
    const order = compareBytes(previous, name);
    if (order < 0) {
      previous = name;
      return;
    }
    const field = `${list}[${index}].name`;
    if (order > 0) {
      throw new CastoreError("INVALID_ORDER", `${field}: ${escapeBytes(name)} is not sorted`, {
        subject: field,
      });
    }
    // An empty first name equals the start value, and is an invalid name.
    PathComponent.from(name, field);
    throw new CastoreError("DUPLICATE_NAME", `${field}: ${escapeBytes(name)} is a duplicate name`, {
      subject: field,
    });
  });
}

function parseEntry<M extends { name: Uint8Array }>(
  field: string,
  message: M,
  parseNode: (field: string, message: M) => Node,
): DirectoryEntry {
  let node: Node;
  try {
    node = parseNode(field, message);
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    const text = `invalid node with name ${escapeBytes(message.name)}: ${cause.message}`;
    throw new CastoreError("INVALID_NODE", text, { cause, subject: cause.subject ?? field });
  }
  return { name: PathComponent.from(message.name, `${field}.name`), node };
}

function parseDirectoryNode(field: string, { digest, size }: DirectoryNodeMessage): DirectoryNode {
  return { type: "directory", digest: B3Digest.from(digest, `${field}.digest`), size };
}

function parseFileNode(field: string, { digest, size, executable }: FileNodeMessage): FileNode {
  return { type: "file", digest: B3Digest.from(digest, `${field}.digest`), size, executable };
}

function parseSymlinkNode(field: string, { target }: SymlinkNodeMessage): SymlinkNode {
  return { type: "symlink", target: SymlinkTarget.from(target, `${field}.target`) };
}
