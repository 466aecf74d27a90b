import { concatBytes } from "@tvix/byte-stream";
import { BYTES, type Codec, type Node, Table, TEXT } from "@tvix/castore";
import { encodeNixbase32, NixHash, StorePath } from "@tvix/nix-compat";
import { INDEXED_PARTS, INDEXED_TREES, NAMED_FILES } from "../file-index/tables.ts";
import type { NarSummary } from "../nar/calculate.ts";
import type { KnownNar, NarFileRecord } from "../nar-index/nar-index.ts";
import { decodePathInfo, encodePathInfo } from "../path-info/format.ts";
import { decodeNamelessNode, encodeNamelessNode } from "../path-info/nameless-node.ts";
import type { PathInfo } from "../path-info/path-info.ts";

const SHA256_BYTES = 32;

/** A SHA-256 as a key. */
const SHA256: Codec<NixHash> = {
  encode: ({ digest }) => digest,
  decode: (bytes) => NixHash.from("sha256", bytes),
};

/** PathInfos, by the digest of their store path. */
export const PATH_INFOS: Table<Uint8Array, PathInfo> = new Table({
  prefix: "p1",
  subject: (digest) => `store path ${encodeNixbase32(digest)}`,
  key: BYTES,
  value: { encode: encodePathInfo, decode: decodePathInfo },
  sealed: true,
});

/** What is kept of a NAR: when it came (0 for what lasts, in milliseconds), its length, what is in it. */
export type NarRecord = Pick<KnownNar, "node" | "narSize"> & { readonly time: number };

/** NARs that have been here, by their SHA-256: moment (u64), length (u64), the node. */
export const NARS: Table<NixHash, NarRecord> = new Table({
  prefix: "h1",
  subject: (narHash) => `the NAR ${narHash}`,
  key: SHA256,
  value: {
    encode: ({ node, narSize, time }) => concatBytes([words(time, narSize), encodeNamelessNode(node)]),
    decode(bytes) {
      const [time = 0, narSize = 0] = readWords(bytes, 2);
      return { node: decodeNamelessNode(bytes.subarray(16)), narSize, time };
    },
  },
  sealed: true,
});

const FILE_RECORD: Codec<NarFileRecord> = {
  encode: ({ narHash, compression }) => concatBytes([narHash.digest, TEXT.encode(compression)]),
  decode: (bytes) => ({
    narHash: NixHash.from("sha256", bytes.slice(0, SHA256_BYTES)),
    compression: TEXT.decode(bytes.subarray(SHA256_BYTES)),
  }),
};

/** Files that NARs came in, by their SHA-256: SHA-256 of the NAR, name of the compression. */
export const FILES: Table<NixHash, NarFileRecord> = new Table({
  prefix: "f2",
  subject: (fileHash) => `the file ${fileHash}`,
  key: SHA256,
  value: FILE_RECORD,
  sealed: true,
});

/** The same as older versions wrote it, without a checksum. */
export const OLD_FILES: Table<NixHash, NarFileRecord> = new Table({
  prefix: "f1",
  subject: (fileHash) => `the file ${fileHash}`,
  key: SHA256,
  value: FILE_RECORD,
  sealed: false,
});

/** What was calculated of the NAR of a node, by {@link nodeKeyOf}: length (u64), SHA-256. */
export const CALCULATED_NARS: Table<Uint8Array, NarSummary> = new Table({
  prefix: "~n1",
  subject: () => "a calculated NAR",
  key: BYTES,
  value: {
    encode: ({ narSize, narHash }) => concatBytes([words(narSize), narHash.digest]),
    decode(bytes) {
      if (bytes.length !== 8 + SHA256_BYTES) throw new RangeError(`${bytes.length} bytes`);
      const [narSize = 0] = readWords(bytes, 1);
      return { narSize, narHash: NixHash.from("sha256", bytes.slice(8)) };
    },
  },
  sealed: true,
});

/** What was measured of the forms of a NAR: its hash may not be known. */
export interface MeasuredNar {
  readonly version: number;
  readonly narSize: number;
  readonly zstdSize: number;
  readonly zstdHash?: NixHash | undefined;
}

/**
 * Lengths of the NAR of a node, by {@link nodeKeyOf}: version of the stored form when it was measured, length
 * of the NAR and of its zstd form (u64 each), SHA-256 of the latter where it is known.
 */
export const NAR_LENGTHS: Table<Uint8Array, MeasuredNar> = new Table({
  prefix: "~z2",
  subject: () => "the lengths of a NAR",
  key: BYTES,
  value: {
    encode: ({ version, narSize, zstdSize, zstdHash }) =>
      concatBytes([words(version, narSize, zstdSize), zstdHash?.digest ?? new Uint8Array(0)]),
    decode(bytes) {
      const isHashed = bytes.length === 24 + SHA256_BYTES;
      if (!isHashed && bytes.length !== 24) throw new RangeError(`${bytes.length} bytes`);
      const [version = 0, narSize = 0, zstdSize = 0] = readWords(bytes, 3);
      const lengths = { version, narSize, zstdSize };
      return isHashed ? { ...lengths, zstdHash: NixHash.from("sha256", bytes.slice(24)) } : lengths;
    },
  },
  sealed: true,
});

/** Which segment of the plan of a NAR. */
export interface NarPlanKey {
  /** By {@link nodeKeyOf}. */
  readonly node: Uint8Array;
  /** From 0 on. */
  readonly number: number;
}

/** Some of the parts of which a NAR consists. */
export interface NarPlanSegment {
  /** Of the stored form. */
  readonly version: number;
  /** Bytes of the NAR that lie before it. */
  readonly start: number;
  /** Whether more segments follow; `none`: there is no plan, as it would be too long. */
  readonly follows: PlanFollows;
  /** The parts, encoded. */
  readonly parts: Uint8Array;
}

/** As it is numbered in a record. */
const FOLLOWS = ["more", "end", "none"] as const;

/** What may follow a segment. */
export type PlanFollows = (typeof FOLLOWS)[number];

const SEGMENT_HEAD_BYTES = 17;

/**
 * Of which parts the NAR of a node consists, in segments, by {@link nodeKeyOf} and number (u32): version of the stored
 * form, bytes of the NAR before it (u64 each), what follows (u8: 0 more segments, 1 nothing, 2 there is no plan), the parts.
 */
export const NAR_PLANS: Table<NarPlanKey, NarPlanSegment> = new Table({
  prefix: "~y1",
  subject: () => "the plan of a NAR",
  key: {
    encode({ node, number }) {
      const key = concatBytes([node, new Uint8Array(4)]);
      new DataView(key.buffer).setUint32(node.length, number);
      return key;
    },
    decode(bytes) {
      const end = bytes.length - 4;
      return {
        node: bytes.slice(0, end),
        number: new DataView(bytes.buffer, bytes.byteOffset).getUint32(end),
      };
    },
  },
  value: {
    encode: ({ version, start, follows, parts }) =>
      concatBytes([words(version, start), Uint8Array.of(FOLLOWS.indexOf(follows)), parts]),
    decode(bytes) {
      const [version = 0, start = 0] = readWords(bytes, 2);
      const follows = FOLLOWS[bytes[16] ?? FOLLOWS.length];
      if (follows === undefined) throw new RangeError("no segment of a plan");
      return { version, start, follows, parts: bytes.subarray(SEGMENT_HEAD_BYTES) };
    },
  },
  sealed: true,
});

/** What a pin keeps: a store path with all that it refers to, or contents. */
export type PinTarget =
  | { readonly type: "path"; readonly storePath: StorePath }
  | { readonly type: "node"; readonly node: Node };

const PATH_TARGET = 0;
const NODE_TARGET = 1;

/** Pins, by their names: kind (u8: 0 path, 1 contents), then the name of the store path, or a Node message without a name. */
export const PINS: Table<string, PinTarget> = new Table({
  prefix: "k1",
  subject: (name) => `the pin ${name}`,
  key: TEXT,
  value: {
    encode: (target) =>
      target.type === "path"
        ? concatBytes([Uint8Array.of(PATH_TARGET), TEXT.encode(target.storePath.toString())])
        : concatBytes([Uint8Array.of(NODE_TARGET), encodeNamelessNode(target.node)]),
    decode(bytes) {
      const rest = bytes.subarray(1);
      if (bytes[0] === PATH_TARGET)
        return { type: "path", storePath: StorePath.fromBaseName(TEXT.decode(rest)) };
      return { type: "node", node: decodeNamelessNode(rest) };
    },
  },
  sealed: true,
});

/** When a store path was last asked for or put, by its digest: milliseconds since 1970 (u64). */
export const USES: Table<Uint8Array, number> = new Table({
  prefix: "~t1",
  subject: (digest) => `the last use of ${encodeNixbase32(digest)}`,
  key: BYTES,
  value: { encode: (time) => words(time), decode: (bytes) => readWords(bytes, 1)[0] ?? 0 },
  sealed: false,
});

/** That a store path came, and when. */
export interface Arrival {
  /** In milliseconds since 1970. */
  readonly time: number;
  /** Digest of the path. */
  readonly digest: Uint8Array;
}

const LAST_TIME = 2n ** 64n - 1n;

/** The last moment of `Date`. */
const MAX_TIME_MS = 8.64e15;

/** When store paths came: 2^64 - 1 less the milliseconds since 1970 (u64), so that the newest is the first, and the digest. */
export const ARRIVALS: Table<Arrival, undefined> = new Table({
  prefix: "~a1",
  subject: ({ digest }) => `the arrival of ${encodeNixbase32(digest)}`,
  key: {
    encode({ time, digest }) {
      const key = concatBytes([new Uint8Array(8), digest]);
      new DataView(key.buffer).setBigUint64(0, LAST_TIME - BigInt(time));
      return key;
    },
    decode(bytes) {
      const time = Number(
        LAST_TIME - new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0),
      );
      if (time > MAX_TIME_MS) throw new RangeError("no moment that a date can have");
      return { time, digest: bytes.slice(8) };
    },
  },
  value: { encode: () => new Uint8Array(0), decode: () => undefined },
  sealed: false,
});

/** What a store had at some moment. */
export interface StoreFigures {
  /** When it was counted, in milliseconds since 1970. */
  readonly time: number;
  readonly paths: number;
  readonly directories: number;
  readonly blobs: number;
  readonly chunks: number;
  /** Bytes of the NARs of all paths. */
  readonly narBytes: number;
  /** Bytes of all chunks, each once. */
  readonly chunkBytes: number;
  /** Bytes that the chunks take, compressed. */
  readonly storedBytes: number;
}

/** What a store had on some days, by the number of the day from 1970 on (u32): the fields of {@link StoreFigures}, u64 each. */
export const DAILY_FIGURES: Table<number, StoreFigures> = new Table({
  prefix: "y1",
  subject: (day) => `the figures of day ${day}`,
  key: {
    encode(day) {
      const key = new Uint8Array(4);
      new DataView(key.buffer).setUint32(0, day);
      return key;
    },
    decode: (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0),
  },
  value: {
    encode: ({ time, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes }) =>
      words(time, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes),
    decode(bytes) {
      const [time, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes] = readWords(
        bytes,
        8,
      );
      return { time, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes } as StoreFigures;
    },
  },
  sealed: true,
});

/**
 * PathInfos whose contents are not whole, or that are damaged themselves, by the digest of their store path: the record as
 * it was. A repair puts them back when all of it is there again.
 */
export const QUARANTINED: Table<Uint8Array, Uint8Array> = new Table({
  prefix: "v1",
  subject: (digest) => `the quarantined store path ${encodeNixbase32(digest)}`,
  key: BYTES,
  value: BYTES,
  sealed: false,
});

/** What this package keeps. */
// biome-ignore lint/suspicious/noExplicitAny: of whatever keys and values
export const STORE_TABLES: readonly Table<any, any>[] = [
  PATH_INFOS,
  NARS,
  FILES,
  OLD_FILES,
  CALCULATED_NARS,
  NAR_LENGTHS,
  NAR_PLANS,
  PINS,
  QUARANTINED,
  USES,
  ARRIVALS,
  DAILY_FIGURES,
  INDEXED_TREES,
  INDEXED_PARTS,
  NAMED_FILES,
];

/** Numbers as u64, big-endian. */
function words(...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) view.setBigUint64(8 * index, BigInt(number));
  return bytes;
}

function readWords(bytes: Uint8Array, count: number): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, index) => Number(view.getBigUint64(8 * index)));
}
