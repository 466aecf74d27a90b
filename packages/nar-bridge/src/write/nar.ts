import type { ByteStream } from "@tvix/byte-stream";
import { ingestNar } from "@tvix/store";
import type { FastifyRequest } from "fastify";
import { decompress } from "../compression/decompress.ts";
import { detectCompression } from "../compression/detect.ts";
import type { NarFileName } from "../http/paths.ts";
import { requestBody, within } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import { checkingFileHash } from "./file-digest.ts";

/**
 * Takes in the NAR in the body of a request, while it arrives. It is known by its hash from
 * then on, and by that of the file, until its narinfo comes or a while has passed.
 *
 * @throws NarBridgeError as {@link requestBody}, FILE_HASH_MISMATCH; as {@link ingestNar}
 */
export async function storeNar(bridge: Bridge, name: NarFileName, request: FastifyRequest): Promise<void> {
  const { maxUploadBytes, maxNarBytes, stallMs, uploadTimeoutMs } = bridge.limits;
  const limits = {
    maxBytes: maxUploadBytes,
    maxDecodedBytes: maxNarBytes,
    stallMs,
    timeoutMs: uploadTimeoutMs,
  };
  const body = requestBody(request, limits);
  // Nix gives a file no suffix that it has compressed with gzip.
  const { compression, stream } =
    name.compression === "none" ? await detectCompression(body) : { ...name, stream: body };
  const isPlain = compression === "none";
  const nar = isPlain
    ? within(stream, maxNarBytes)
    : within(decompressWhole(checkingFileHash(stream, name.hash), compression), maxNarBytes);
  const { node, narHash, narSize } = await ingestNar(nar, bridge, {
    expected: isPlain ? { narHash: name.hash } : {},
    underWay: bridge.underWay,
  });
  await bridge.narIndex.put({ narHash, narSize, node, lasting: false });
  if (!isPlain) await bridge.narIndex.putFile(name.hash, { narHash, compression });
}

/** What was compressed; the source is read to its end, which a decoder may not care for. */
async function* decompressWhole(source: ByteStream, compression: NarFileName["compression"]): ByteStream {
  const iterator = source[Symbol.asyncIterator]();
  yield* decompress({ [Symbol.asyncIterator]: () => iterator } as ByteStream, compression);
  while ((await iterator.next()).done !== true);
}
