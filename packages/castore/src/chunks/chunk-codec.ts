import { copyBytes } from "@tvix/byte-stream";
/** How the bytes of a chunk are stored. */
export type ChunkEncoding = "raw" | "zstd";

/** A chunk in the form in which it is stored. */
export interface EncodedChunk {
  readonly encoding: ChunkEncoding;
  /** Length of the chunk itself, in bytes. */
  readonly size: number;
  /** The chunk, or one zstd frame of it. */
  readonly payload: Uint8Array;
}

/** What an encoder hands out, perhaps in memory that it will use again. */
export interface FreshlyEncoded extends EncodedChunk {
  /** To be called once, when nobody looks at the payload any more. */
  readonly release: () => void;
}

/** Turns chunks into what is stored, and back. */
export interface ChunkCodec {
  /**
   * @param release called as soon as the bytes are not needed any more; where they are the
   *   payload themselves it never is
   */
  encode(bytes: Uint8Array, release?: () => void): Promise<FreshlyEncoded> | FreshlyEncoded;

  /**
   * The bytes of a chunk. The caller checks them against the digest.
   *
   * @throws Error when the payload does not decode to exactly `size` bytes
   */
  decode(chunk: EncodedChunk): Promise<Uint8Array> | Uint8Array;

  /**
   * The same for bytes that are looked at on the spot: they may lie in memory that is used again, or in that of the
   * payload. Default: by {@link decode}.
   *
   * @returns what `use` returns
   * @throws as {@link decode}, and what `use` throws
   */
  lend?<T>(chunk: EncodedChunk, use: (bytes: Uint8Array) => T): Promise<T>;
}

/** A chunk that is stored as it is, in the memory in which it came. */
export function asItIs(bytes: Uint8Array): FreshlyEncoded {
  return asStored({ encoding: "raw", size: bytes.length, payload: bytes });
}

/** A chunk that is stored in the form that it has already. */
export function asStored(chunk: EncodedChunk): FreshlyEncoded {
  return { ...chunk, release: () => {} };
}

/** Stores chunks as they are: for engines without zstd, such as browsers. */
export const RAW_CODEC: ChunkCodec = {
  encode: asItIs,
  decode({ encoding, payload }) {
    if (encoding !== "raw") throw new Error(`chunk is stored as ${encoding}, which this codec does not read`);
    // Whoever reads it may do with it as it likes.
    return copyBytes(payload);
  },
};
