import type { MessageInitShape } from "@bufbuild/protobuf";
import { B3Digest } from "@tvix/castore";
import type { CopiedFile, CopyContents, FilePart } from "@tvix/castore-packs";
import type {
  CopiedFileSchema,
  CopiedFile as CopiedMessage,
  FileLength,
  FileLengthSchema,
  FilePartSchema,
  FilePart as PartMessage,
} from "@tvix/protocol/maintenance";
import { StoreError } from "@tvix/store";

/** What files of a copy are called. */
const NAME = /^(packs\/\d{10}\.pack|journal\/\d{16}\.(journal|checkpoint))$/;

export function formatPart({ name, offset, data }: FilePart): MessageInitShape<typeof FilePartSchema> {
  return { name, offset: BigInt(offset), data: data as Uint8Array<ArrayBuffer> };
}

/** @throws StoreError INVALID_NAME: what comes from a server is to name no other file */
export function parsePart({ name, offset, data }: PartMessage): FilePart {
  return { name: checkName(name), offset: Number(offset), data };
}

export function formatLengths(contents: CopyContents): MessageInitShape<typeof FileLengthSchema>[] {
  return Array.from(contents, ([name, length]) => ({ name, length: BigInt(length) }));
}

/** @throws StoreError INVALID_NAME */
export function parseLengths(files: readonly FileLength[]): CopyContents {
  return new Map(files.map(({ name, length }) => [checkName(name), Number(length)]));
}

export function formatCopiedFiles(
  files: ReadonlyMap<string, CopiedFile>,
): MessageInitShape<typeof CopiedFileSchema>[] {
  return Array.from(files, ([name, { length, tail }]) => ({
    name,
    length: BigInt(length),
    tail: tail.bytes as Uint8Array<ArrayBuffer>,
  }));
}

/** @throws StoreError INVALID_NAME, CastoreError INVALID_DIGEST */
export function parseCopiedFiles(files: readonly CopiedMessage[]): ReadonlyMap<string, CopiedFile> {
  const known = new Map<string, CopiedFile>();
  for (const { name, length, tail } of files) {
    known.set(checkName(name), { length: Number(length), tail: B3Digest.from(tail, "files.tail") });
  }
  return known;
}

function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new StoreError("INVALID_NAME", `${JSON.stringify(name.slice(0, 100))} is no file of a store`);
}
