import { Readable } from "node:stream";
import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { ZipFile } from "yazl";
import {
  type ArchiveOptions,
  archivedEntries,
  contentsOf,
  DIRECTORY_MODE,
  modeOf,
  type TreeSource,
} from "./archived-entries.ts";

/** Entries whose contents have not been written; more are asked for when there are fewer. */
const WAITING_ENTRIES = 16;

/** The earliest time that a zip archive can tell. */
const EPOCH_OF_ZIP: Date = new Date(1980, 0, 1);

/** Types of files in the mode of an entry. */
const REGULAR = 0o100000;
const LINK = 0o120000;

/**
 * A tree as a zip archive, deflated at the fastest level: entries in order of their names, with modes and links
 * as Info-ZIP has them. The list of entries at the end of such an archive is kept until then: some 300 bytes for
 * each.
 *
 * @throws CastoreError INVALID_NAME for a name that is not UTF-8; INCOMPLETE when contents are missing
 */
export async function* writeZip(root: Node, source: TreeSource, options: ArchiveOptions = {}): ByteStream {
  const archive = new ZipFile();
  const output = archive.outputStream as Readable;
  const fail = (error: unknown) => output.destroy(error as Error);
  const written = writeEntries(archive, fail, root, source, options);
  archive.on("error", fail);
  written.catch(fail);
  try {
    for await (const piece of output as AsyncIterable<Uint8Array>) yield piece;
    await written;
  } finally {
    output.destroy();
  }
}

async function writeEntries(
  archive: ZipFile,
  fail: (error: unknown) => void,
  root: Node,
  source: TreeSource,
  options: ArchiveOptions,
): Promise<void> {
  let waiting = 0;
  const common = { mtime: EPOCH_OF_ZIP, compressionLevel: 1 };
  for await (const { path, node, target } of archivedEntries(root, source, options)) {
    switch (node.type) {
      case "directory":
        archive.addEmptyDirectory(`${path}/`, { mtime: EPOCH_OF_ZIP, mode: 0o40000 | DIRECTORY_MODE });
        break;
      case "symlink":
        archive.addBuffer(Buffer.from(target as string), path, { ...common, mode: LINK | 0o777 });
        break;
      case "file": {
        const ended = Promise.withResolvers<void>();
        waiting++;
        archive.addReadStreamLazy(path, { ...common, mode: REGULAR | modeOf(node) }, (open) => {
          const contents = Readable.from(contentsOf(node, path, source, options), { objectMode: false });
          contents.once("error", fail);
          contents.once("close", () => {
            waiting--;
            ended.resolve();
          });
          open(null, contents);
        });
        // Only so many are known to the archive before their turn: it opens one at a time.
        if (waiting >= WAITING_ENTRIES) await ended.promise;
      }
    }
  }
  archive.end();
}
