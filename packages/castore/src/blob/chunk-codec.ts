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

/** Turns chunks into what is stored, and back. */
export interface ChunkCodec {
  /** @param release called as soon as the bytes are not needed any more, if that is early */
  encode(bytes: Uint8Array, release?: () => void): Promise<EncodedChunk> | EncodedChunk;

  /**
   * The bytes of a chunk. The caller checks them against the digest.
   *
   * @throws Error when the payload does not decode to exactly `size` bytes
   */
  decode(chunk: EncodedChunk): Promise<Uint8Array> | Uint8Array;
}

/** Stores chunks as they are: for engines without zstd, such as browsers. */
export const RAW_CODEC: ChunkCodec = {
  encode: (bytes) => ({ encoding: "raw", size: bytes.length, payload: bytes }),
  decode({ encoding, payload }) {
    if (encoding !== "raw") throw new Error(`chunk is stored as ${encoding}, which this codec does not read`);
    return payload;
  },
};
