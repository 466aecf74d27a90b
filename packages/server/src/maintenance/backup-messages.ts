import type { MessageInitShape } from "@bufbuild/protobuf";
import { B3Digest } from "@tvix/castore";
import type { CopiedFile, CopyContents, CopyState, FilePart } from "@tvix/castore-packs";
import type {
  BackupDone,
  BackupDoneSchema,
  BackupRequest,
  BackupRequestSchema,
  FilePartSchema,
  FilePart as PartMessage,
} from "@tvix/protocol/maintenance";
import { StoreError } from "@tvix/store";

const STORE_ID = /^[0-9a-f]{32}$/;

/** What files of a copy are called. */
const NAME = /^(packs\/\d{10}\.pack|journal\/\d{16}\.(journal|checkpoint))$/;

export function formatPart({ name, offset, data }: FilePart): MessageInitShape<typeof FilePartSchema> {
  return { name, offset: BigInt(offset), data: data as Uint8Array<ArrayBuffer> };
}

/** @throws StoreError INVALID_NAME: what comes from a server is to name no other file */
export function parsePart({ name, offset, data }: PartMessage): FilePart {
  return { name: checkName(name), offset: Number(offset), data };
}

export function formatContentsOfCopy({
  storeId,
  files,
}: CopyContents): MessageInitShape<typeof BackupDoneSchema> {
  return { storeId, files: Array.from(files, ([name, length]) => ({ name, length: BigInt(length) })) };
}

/** @throws StoreError INVALID_NAME */
export function parseContentsOfCopy({ storeId, files }: BackupDone): CopyContents {
  if (!STORE_ID.test(storeId)) throw new StoreError("INVALID_NAME", "the server names no store");
  return { storeId, files: new Map(files.map(({ name, length }) => [checkName(name), Number(length)])) };
}

export function formatCopy({ storeId, files }: CopyState): MessageInitShape<typeof BackupRequestSchema> {
  return {
    files: Array.from(files, ([name, { length, tail }]) => ({
      name,
      length: BigInt(length),
      tail: tail.bytes as Uint8Array<ArrayBuffer>,
    })),
    ...(storeId === undefined ? {} : { storeId }),
  };
}

/** @throws StoreError INVALID_NAME, CastoreError INVALID_DIGEST */
export function parseCopy({ files, storeId }: BackupRequest): CopyState {
  const known = new Map<string, CopiedFile>();
  for (const { name, length, tail } of files) {
    known.set(checkName(name), { length: Number(length), tail: B3Digest.from(tail, "files.tail") });
  }
  return { storeId, files: known };
}

function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new StoreError("INVALID_NAME", `${JSON.stringify(name.slice(0, 100))} is no file of a store`);
}
