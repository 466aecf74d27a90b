import { B3_DIGEST_LENGTH, B3Digest } from "../digest/b3-digest.ts";
import { type ChunkListRecord, decodeRecord, encodeRecord, LIST_ID_BYTES } from "./chunk-list-codec.ts";
import { BYTES, type Codec, TEXT } from "./codec.ts";
import { Table } from "./table.ts";

const DIGEST: Codec<B3Digest> = { encode: ({ bytes }) => bytes, decode: (bytes) => B3Digest.from(bytes) };

const NOTHING: Codec<undefined> = { encode: () => new Uint8Array(0), decode: () => undefined };

/** A number as u64, big-endian. */
const NUMBER: Codec<number> = {
  encode(number) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
    return bytes;
  },
  decode(bytes) {
    if (bytes.length !== 8) throw new RangeError(`${bytes.length} bytes`);
    return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  },
};

/** One of several things under one identifier. */
export interface Numbered {
  readonly id: Uint8Array;
  readonly number: number;
}

/** Identifiers of so many bytes, then the number (u32). */
function numbered(idBytes: number): Codec<Numbered> {
  return {
    encode({ id, number }) {
      const key = new Uint8Array(idBytes + 4);
      key.set(id);
      new DataView(key.buffer).setUint32(idBytes, number);
      return key;
    },
    decode(key) {
      if (key.length !== idBytes + 4) throw new RangeError(`${key.length} bytes`);
      return {
        id: key.subarray(0, idBytes),
        number: new DataView(key.buffer, key.byteOffset).getUint32(idBytes),
      };
    },
  };
}

/** Facts about the store as a whole, by their names. */
export const FACTS: Table<string, Uint8Array> = new Table({
  prefix: "m1",
  subject: (name) => `the fact ${name}`,
  key: TEXT,
  value: BYTES,
  sealed: false,
});

/** Chunks: the stored form, or where it lies. */
export const CHUNKS: Table<B3Digest, Uint8Array> = new Table({
  prefix: "c1",
  subject: (digest) => `chunk ${digest}`,
  key: DIGEST,
  value: BYTES,
  sealed: false,
});

/** Chunk lists of blobs of several chunks. */
export const CHUNK_LISTS: Table<B3Digest, ChunkListRecord> = new Table({
  prefix: "b1",
  subject: (digest) => `blob ${digest}`,
  key: DIGEST,
  value: { encode: encodeRecord, decode: decodeRecord },
  sealed: true,
});

/** Segments of chunk lists, by the list and their number. */
export const LIST_SEGMENTS: Table<Numbered, Uint8Array> = new Table({
  prefix: "l1",
  subject: ({ number }) => `part ${number} of a chunk list`,
  key: numbered(LIST_ID_BYTES),
  value: BYTES,
  sealed: true,
});

/** Length of the identifier of an upload, in bytes. */
export const UPLOAD_ID_BYTES: number = LIST_ID_BYTES;

/**
 * Uploads that have written something and have not ended: until when they count as under way, in
 * milliseconds since 1970 (u64).
 */
export const UPLOADS: Table<Uint8Array, number> = new Table({
  prefix: "u2",
  subject: () => "an upload",
  key: BYTES,
  // What is no moment is long past.
  value: { encode: NUMBER.encode, decode: (bytes) => (bytes.length === 8 ? NUMBER.decode(bytes) : 0) },
  sealed: false,
});

/** Chunk lists that older versions were writing. */
export const OLD_UPLOADS: Table<Uint8Array, undefined> = new Table({
  prefix: "u1",
  subject: () => "an unfinished chunk list",
  key: BYTES,
  value: NOTHING,
  sealed: false,
});

/** Chunks that are known to be damaged or lost. */
export const DAMAGED_CHUNKS: Table<B3Digest, undefined> = new Table({
  prefix: "x1",
  subject: (digest) => `chunk ${digest}`,
  key: DIGEST,
  value: NOTHING,
  sealed: false,
});

/** Directories, each in its canonical encoding. */
export const DIRECTORIES: Table<B3Digest, Uint8Array> = new Table({
  prefix: "d1",
  subject: (digest) => `directory ${digest}`,
  key: DIGEST,
  value: BYTES,
  sealed: false,
});

/**
 * Lists of directories whose upload has not ended, by the upload and their number. Nobody reads them but the upload itself,
 * so that their form may be another one in another version.
 */
export const STAGED_DIRECTORIES: Table<Numbered, Uint8Array> = new Table({
  prefix: "s1",
  subject: () => "staged directories",
  key: numbered(UPLOAD_ID_BYTES),
  value: BYTES,
  sealed: false,
});

/** What a collection removes: chunk lists of blobs, chunks, directories. */
export type ContentKind = "blob" | "chunk" | "directory";

/** A piece of content, as collections count it. */
export interface Content {
  readonly kind: ContentKind;
  readonly digest: B3Digest;
}

const KINDS: readonly ContentKind[] = ["blob", "chunk", "directory"];

/** A piece of content: the first letter of its kind, then its digest. */
export const CONTENT: Codec<Content> = {
  encode({ kind, digest }) {
    const key = new Uint8Array(1 + B3_DIGEST_LENGTH);
    key[0] = kind.charCodeAt(0);
    key.set(digest.bytes, 1);
    return key;
  },
  decode(bytes) {
    const kind = KINDS.find((one) => one.charCodeAt(0) === bytes[0]);
    if (kind === undefined) throw new RangeError(`no kind of content: ${bytes[0]}`);
    return { kind, digest: B3Digest.from(bytes.slice(1)) };
  },
};

/**
 * Content that goes with the next look of a collection, unless somebody wants it before: the number of the
 * collection (u64).
 */
export const CONDEMNED: Table<Content, number> = new Table({
  prefix: "g1",
  subject: ({ kind, digest }) => `the mark on ${kind} ${digest}`,
  key: CONTENT,
  value: NUMBER,
  sealed: false,
});

/** What this package keeps. */
// biome-ignore lint/suspicious/noExplicitAny: of whatever keys and values
export const CASTORE_TABLES: readonly Table<any, any>[] = [
  FACTS,
  CHUNKS,
  CHUNK_LISTS,
  LIST_SEGMENTS,
  UPLOADS,
  OLD_UPLOADS,
  DAMAGED_CHUNKS,
  DIRECTORIES,
  STAGED_DIRECTORIES,
  CONDEMNED,
];
