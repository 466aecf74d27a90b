import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { type Header, type Pack, pack } from "tar-stream";
import {
  ARCHIVED_AT,
  type ArchivedEntry,
  type ArchiveOptions,
  archivedEntries,
  contentsOf,
  DIRECTORY_MODE,
  modeOf,
  type TreeSource,
} from "./archived-entries.ts";

/**
 * A tree as a tar archive (POSIX.1-2001, pax headers where a name or size needs them): entries in order of their
 * names, of user and group 0, changed a second after the beginning of 1970, so that the same tree is always the
 * same archive. Memory does not grow with the tree.
 *
 * @throws CastoreError INVALID_NAME for a name that is not UTF-8; INCOMPLETE when contents are missing
 */
export async function* writeTar(root: Node, source: TreeSource, options: ArchiveOptions = {}): ByteStream {
  const archive = pack();
  const written = writeEntries(archive, root, source, options);
  // Whoever reads the archive gets the failure.
  written.catch((error: unknown) => archive.destroy(error as Error));
  try {
    for await (const piece of archive as AsyncIterable<Uint8Array>) yield piece;
    await written;
  } finally {
    archive.destroy();
  }
}

async function writeEntries(
  archive: Pack,
  root: Node,
  source: TreeSource,
  options: ArchiveOptions,
): Promise<void> {
  for await (const entry of archivedEntries(root, source, options)) {
    const { path, node } = entry;
    if (node.type === "file") {
      const contents = Readable.from(contentsOf(node, path, source, options), { objectMode: false });
      await pipeline(contents, archive.entry(headersOf(entry)));
    } else {
      await new Promise<void>((resolve, reject) => {
        archive.entry(headersOf(entry), (error) => (error == null ? resolve() : reject(error)));
      });
    }
  }
  archive.finalize();
}

function headersOf({ path, node, target }: ArchivedEntry): Partial<Header> & Pick<Header, "name"> {
  const common = { mtime: ARCHIVED_AT, uid: 0, gid: 0 };
  switch (node.type) {
    case "directory":
      return { ...common, type: "directory", name: `${path}/`, mode: DIRECTORY_MODE };
    case "symlink":
      return { ...common, type: "symlink", name: path, linkname: target as string, mode: 0o777 };
    case "file":
      return { ...common, type: "file", name: path, mode: modeOf(node), size: Number(node.size) };
  }
}
