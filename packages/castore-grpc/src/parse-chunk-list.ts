import { B3Digest, CastoreError, type ChunkMeta } from "@tvix/castore";

/**
 * The chunks of a Stat response.
 *
 * @throws CastoreError INVALID_RESPONSE when a digest has another length than 32 bytes, or a
 *   size is 0 or no safe integer
 */
export function parseChunkList(messages: readonly { digest: Uint8Array; size: bigint }[]): ChunkMeta[] {
  return messages.map(({ digest, size }, index) => {
    if (size === 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
      const fault = size === 0n ? "no chunk is empty" : `${size} is too large`;
      throw new CastoreError("INVALID_RESPONSE", `chunks[${index}].size: ${fault}`);
    }
    try {
      return { digest: B3Digest.from(digest, `chunks[${index}].digest`), size: Number(size) };
    } catch (cause) {
      throw new CastoreError(
        "INVALID_RESPONSE",
        `invalid digest length ${digest.length} for chunk #${index}`,
        {
          cause,
        },
      );
    }
  });
}
