import { concatBytes } from "@tvix/byte-stream";
import { BYTES, type Codec, Table, TEXT } from "@tvix/castore";
import { NixHash } from "@tvix/nix-compat";
import type { NarSummary } from "../nar/calculate.ts";
import type { KnownNar, NarFileRecord } from "../nar-index/nar-index.ts";
import { decodeNamelessNode, encodeNamelessNode } from "../path-info/nameless-node.ts";
import { readWords, words } from "./words.ts";

const SHA256_BYTES = 32;

/** A SHA-256 as a key. */
const SHA256: Codec<NixHash> = {
  encode: ({ digest }) => digest,
  decode: (bytes) => NixHash.from("sha256", bytes),
};

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
