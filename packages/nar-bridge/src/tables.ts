import { concatBytes } from "@tvix/byte-stream";
import { B3Digest, BYTES, Table, TEXT } from "@tvix/castore";
import { joinFields, splitFields } from "@tvix/narinfo";
import { encodeNixbase32, NixHash } from "@tvix/nix-compat";
import type { NarInfoExtras } from "./narinfo-extras/narinfo-extras.ts";
import type { SideFile } from "./side-files/side-files.ts";
import type { Offer } from "./upstream/offers.ts";

const SHA256_BYTES = 32;
const B3_BYTES = 32;

/** What a narinfo says that a PathInfo has no place for, and of which NAR it was said. */
export interface ExtrasRecord extends NarInfoExtras {
  readonly narHash: Uint8Array;
}

/** Extras of narinfos, by the digest of the store path: SHA-256 of the NAR, 1 for plain (u8), lines as in narinfos. */
export const EXTRAS: Table<Uint8Array, ExtrasRecord> = new Table({
  prefix: "i1",
  subject: (digest) => `what the narinfo of ${encodeNixbase32(digest)} says besides`,
  key: BYTES,
  value: {
    encode: ({ narHash, plain, fields }) =>
      concatBytes([narHash, Uint8Array.of(plain ? 1 : 0), TEXT.encode(joinFields(fields))]),
    decode: (bytes) => ({
      narHash: bytes.subarray(0, SHA256_BYTES),
      plain: bytes[SHA256_BYTES] === 1,
      fields: splitFields(TEXT.decode(bytes.subarray(SHA256_BYTES + 1))),
    }),
  },
  sealed: true,
});

/** What a narinfo is for whose NAR has not come. */
export interface PendingKey {
  readonly narHash: NixHash;
  /** Of the store path. */
  readonly digest: Uint8Array;
}

/** Such a narinfo, and when it came, in milliseconds. */
export interface PendingRecord {
  readonly time: number;
  readonly text: string;
}

/** Narinfos whose NAR has not come, by its SHA-256 and the digest of the store path: moment (u64), text. */
export const PENDING_NARINFOS: Table<PendingKey, PendingRecord> = new Table({
  prefix: "q1",
  subject: () => "a pending narinfo",
  key: {
    encode: ({ narHash, digest }) => concatBytes([narHash.digest, digest]),
    decode: (bytes) => ({
      narHash: NixHash.from("sha256", bytes.slice(0, SHA256_BYTES)),
      digest: bytes.slice(SHA256_BYTES),
    }),
  },
  value: {
    encode({ time, text }) {
      const moment = new Uint8Array(8);
      new DataView(moment.buffer).setBigUint64(0, BigInt(time));
      return concatBytes([moment, TEXT.encode(text)]);
    },
    decode(bytes) {
      const time = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
      return { time, text: TEXT.decode(bytes.subarray(8)) };
    },
  },
  sealed: true,
});

/** Side files, by their path: digest, size (u64), content type. */
export const SIDE_FILES: Table<string, SideFile> = new Table({
  prefix: "w1",
  subject: (path) => path,
  key: TEXT,
  value: {
    encode({ digest, size, contentType }) {
      const length = new Uint8Array(8);
      new DataView(length.buffer).setBigUint64(0, BigInt(size));
      return concatBytes([digest.bytes, length, TEXT.encode(contentType ?? "")]);
    },
    decode(bytes) {
      const type = TEXT.decode(bytes.subarray(B3_BYTES + 8));
      return {
        digest: B3Digest.from(bytes.slice(0, B3_BYTES)),
        size: Number(new DataView(bytes.buffer, bytes.byteOffset + B3_BYTES).getBigUint64(0)),
        contentType: type === "" ? undefined : type,
      };
    },
  },
  sealed: true,
});

/** NARs that an upstream has, by their SHA-256: its address, a line feed, its narinfo. */
export const OFFERS: Table<NixHash, Offer> = new Table({
  prefix: "~o1",
  subject: (narHash) => `the offer of ${narHash}`,
  key: { encode: ({ digest }) => digest, decode: (bytes) => NixHash.from("sha256", bytes) },
  value: {
    encode: ({ upstream, narInfo }) => TEXT.encode(`${upstream}\n${narInfo}`),
    decode(bytes) {
      const text = TEXT.decode(bytes);
      const end = text.indexOf("\n");
      return { upstream: text.slice(0, end), narInfo: text.slice(end + 1) };
    },
  },
  sealed: true,
});

/** What this package keeps. */
// biome-ignore lint/suspicious/noExplicitAny: of whatever keys and values
export const NAR_BRIDGE_TABLES: readonly Table<any, any>[] = [EXTRAS, PENDING_NARINFOS, SIDE_FILES, OFFERS];
