import { concatBytes } from "@tvix/byte-stream";
import { BYTES, type Node, Table, TEXT } from "@tvix/castore";
import { encodeNixbase32, StorePath } from "@tvix/nix-compat";
import { INDEXED_PARTS, INDEXED_TREES, NAMED_FILES } from "../file-index/tables.ts";
import { decodePathInfo, encodePathInfo } from "../path-info/format.ts";
import { decodeNamelessNode, encodeNamelessNode } from "../path-info/nameless-node.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import { CALCULATED_NARS, FILES, NAR_LENGTHS, NAR_PLANS, NARS, OLD_FILES } from "./nar-tables.ts";
import { readWords, words } from "./words.ts";

/** PathInfos, by the digest of their store path. */
export const PATH_INFOS: Table<Uint8Array, PathInfo> = new Table({
  prefix: "p1",
  subject: (digest) => `store path ${encodeNixbase32(digest)}`,
  key: BYTES,
  value: { encode: encodePathInfo, decode: decodePathInfo },
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
