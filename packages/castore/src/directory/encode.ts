import { create, toBinary } from "@bufbuild/protobuf";
import { DirectorySchema } from "@tvix/protocol/tvix/castore";
import type { DirectoryMessage } from "./messages.ts";
import type { DirectoryEntry } from "./node.ts";

/** Sorted entries as a message of either name space. Bytes are shared, not copied. */
export function formatEntries(entries: readonly DirectoryEntry[]): DirectoryMessage {
  const message: DirectoryMessage = { directories: [], files: [], symlinks: [] };
  for (const { name, node } of entries) {
    if (node.type === "directory") {
      message.directories.push({ name: name.bytes, digest: node.digest.bytes, size: node.size });
    } else if (node.type === "file") {
      const { digest, size, executable } = node;
      message.files.push({ name: name.bytes, digest: digest.bytes, size, executable });
    } else {
      message.symlinks.push({ name: name.bytes, target: node.target.bytes });
    }
  }
  return message;
}

/**
 * The canonical encoding of sorted entries: fields in ascending order, defaults left out,
 * as every protobuf library writes them.
 */
export function encodeEntries(entries: readonly DirectoryEntry[]): Uint8Array {
  return toBinary(DirectorySchema, create(DirectorySchema, formatEntries(entries)));
}
