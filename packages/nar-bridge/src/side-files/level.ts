import { B3Digest, CastoreError, type OperationOptions } from "@tvix/castore";
import { type Database, keyOf, keyPrefix, seal, unseal } from "@tvix/castore/level";
import type { SideFile, SideFiles } from "./side-files.ts";

/** Key prefix; the path follows. */
const SIDE_FILE = keyPrefix("w1");

/** Digest, size (u64, big-endian), content type. */
const SIZE_AT = 32;
const TYPE_AT = 40;

/** {@link SideFiles} in a Level database, next to the blobs that hold their contents. */
export class LevelSideFiles implements SideFiles {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(path: string, { signal }: OperationOptions = {}): Promise<SideFile | undefined> {
    signal?.throwIfAborted();
    const key = keyOf(SIDE_FILE, new TextEncoder().encode(path));
    const sealed = await this.#database.get(key);
    return sealed === undefined ? undefined : decode(unseal(key, sealed, path), path);
  }

  async put(path: string, file: SideFile, { signal }: OperationOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const key = keyOf(SIDE_FILE, new TextEncoder().encode(path));
    await this.#database.write([{ type: "put", key, value: seal(key, encode(file)) }]);
  }
}

function encode({ digest, size, contentType }: SideFile): Uint8Array {
  const type = new TextEncoder().encode(contentType ?? "");
  const value = new Uint8Array(TYPE_AT + type.length);
  value.set(digest.bytes);
  new DataView(value.buffer).setBigUint64(SIZE_AT, BigInt(size));
  value.set(type, TYPE_AT);
  return value;
}

function decode(value: Uint8Array, path: string): SideFile {
  if (value.length < TYPE_AT) {
    throw new CastoreError("CORRUPT", `the record of ${path} is damaged`, { subject: path });
  }
  const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const type = new TextDecoder().decode(value.subarray(TYPE_AT));
  return {
    digest: B3Digest.from(value.slice(0, SIZE_AT)),
    size: Number(words.getBigUint64(SIZE_AT)),
    contentType: type === "" ? undefined : type,
  };
}
