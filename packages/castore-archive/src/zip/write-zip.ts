import { Readable } from "node:stream";
import { promisify } from "node:util";
import { crc32, createDeflateRaw, deflateRaw } from "node:zlib";
import { type ByteStream, collect, concatBytes } from "@tvix/byte-stream";
import { type FileNode, letOthersRun, type Node } from "@tvix/castore";
import {
  type ArchivedEntry,
  type ArchiveOptions,
  archivedEntries,
  contentsOf,
  DIRECTORY_MODE,
  modeOf,
  type TreeSource,
} from "../archived-entries.ts";
import {
  centralRecord,
  DEFLATED,
  dataDescriptor,
  endOfArchive,
  localHeader,
  STORED,
  type ZipEntry,
} from "./records.ts";

/** Types of files in the mode of an entry. */
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const LINK = 0o120000;

/** Files up to this length are compressed at once, and their sizes stand in front of them. */
const SHORT_BYTES = 64 << 10;

/** Shorter contents are left as they are: a compressor of their own costs more than it saves. */
const LEAST_COMPRESSED_BYTES = 4 << 10;

/** Records of the list that are put together to one piece; then others have their turn. */
const RECORDS_AT_ONCE = 500;

/** The fastest level: who asks for an archive waits for it. */
const LEVEL = { level: 1 };

/** Sizes from here on take 64 bits: what does not compress gets a little longer. */
const LONG_BYTES = 0xf000_0000;

const deflate = promisify(deflateRaw);

/**
 * A tree as a zip archive, deflated: entries in order of their names, with modes and links as Info-ZIP has them. The
 * same tree is the same archive, with one version of zlib. It is made as it is read; the list of entries at its end is
 * kept until then, some 100 bytes and its path for each.
 *
 * @throws CastoreError INVALID_NAME for a name that is not UTF-8; INCOMPLETE when contents are missing
 */
export async function* writeZip(root: Node, source: TreeSource, options: ArchiveOptions = {}): ByteStream {
  const list: Uint8Array[] = [];
  let offset = 0;
  const counted = (piece: Uint8Array) => {
    offset += piece.length;
    return piece;
  };
  for await (const entry of archivedEntries(root, source, options)) {
    const written =
      entry.node.type === "file" && entry.node.size > BigInt(SHORT_BYTES)
        ? longFile(entry, entry.node, offset, source, options)
        : shortEntry(entry, offset, source, options);
    let next = await written.next();
    for (; next.done !== true; next = await written.next()) yield counted(next.value);
    list.push(centralRecord(next.value));
  }
  const listOffset = offset;
  for (let start = 0; start < list.length; start += RECORDS_AT_ONCE) {
    await letOthersRun();
    yield counted(concatBytes(list.slice(start, start + RECORDS_AT_ONCE)));
  }
  yield endOfArchive(list.length, listOffset, offset - listOffset);
}

/** A directory, link or short file: everything is known before the first byte. */
async function* shortEntry(
  { path, node, target }: ArchivedEntry,
  offset: number,
  source: TreeSource,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array, ZipEntry, undefined> {
  const common = { offset, isDescribedBehind: false, isLong: false };
  const make = async (name: string, mode: number, contents: Uint8Array): Promise<[ZipEntry, Uint8Array]> => {
    const deflated = contents.length < LEAST_COMPRESSED_BYTES ? contents : await deflate(contents, LEVEL);
    const isShorter = deflated.length < contents.length;
    const packed = isShorter ? deflated : contents;
    const facts = { crc: crc32(contents), size: contents.length, packedSize: packed.length };
    const method = isShorter ? DEFLATED : STORED;
    return [{ ...common, ...facts, name: utf8(name), mode, method }, packed];
  };
  const [entry, packed] =
    node.type === "directory"
      ? await make(`${path}/`, DIRECTORY | DIRECTORY_MODE, new Uint8Array(0))
      : node.type === "symlink"
        ? await make(path, LINK | 0o777, utf8(target as string))
        : await make(
            path,
            REGULAR | modeOf(node),
            await collect(contentsOf(node, path, source, options), SHORT_BYTES),
          );
  yield localHeader(entry);
  if (packed.length > 0) yield packed;
  return entry;
}

/** A file that is compressed as it comes: checksum and sizes stand behind it. */
async function* longFile(
  { path }: ArchivedEntry,
  node: FileNode,
  offset: number,
  source: TreeSource,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array, ZipEntry, undefined> {
  const isLong = node.size >= BigInt(LONG_BYTES);
  const known = { name: utf8(path), method: DEFLATED, isLong, isDescribedBehind: true } as const;
  let crc = 0;
  let size = 0;
  let packedSize = 0;
  yield localHeader({ ...known, crc, size, packedSize });
  async function* watched(): ByteStream {
    for await (const piece of contentsOf(node, path, source, options)) {
      crc = crc32(piece, crc);
      size += piece.length;
      yield piece;
    }
  }
  const contents = Readable.from(watched(), { objectMode: false });
  const compressed = createDeflateRaw(LEVEL);
  contents.once("error", (error) => compressed.destroy(error));
  try {
    for await (const piece of contents.pipe(compressed) as AsyncIterable<Uint8Array>) {
      packedSize += piece.length;
      yield piece;
    }
  } finally {
    contents.destroy();
    compressed.destroy();
  }
  const entry: ZipEntry = { ...known, mode: REGULAR | modeOf(node), offset, crc, size, packedSize };
  yield dataDescriptor(entry);
  return entry;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
