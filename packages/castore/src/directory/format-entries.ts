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
