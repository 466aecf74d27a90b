import type { ByteStream } from "@tvix/byte-stream";
import type { OperationOptions } from "@tvix/castore";
import { ingestNar } from "@tvix/store";
import type { FastifyRequest } from "fastify";
import { decompress } from "../compression/decompress.ts";
import { detectCompression } from "../compression/detect.ts";
import { NarBridgeError } from "../errors.ts";
import type { NarFileName } from "../http/paths.ts";
import { requestBody, within } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import { FileDigest } from "./file-digest.ts";
import { storePending } from "./narinfo.ts";

/**
 * Takes in the NAR in the body of a request, while it arrives. It is named by its hash, or by
 * that of the file; both are known from then on, until its narinfo comes or a while has passed.
 * Narinfos that have waited for it are stored with it.
 *
 * @throws NarBridgeError as {@link requestBody}, FILE_HASH_MISMATCH; as {@link ingestNar}
 */
export async function storeNar(
  bridge: Bridge,
  name: NarFileName,
  request: FastifyRequest,
  options: OperationOptions = {},
): Promise<void> {
  const { maxUploadBytes, maxNarBytes, stallMs, uploadTimeoutMs } = bridge.limits;
  const limits = {
    maxBytes: maxUploadBytes,
    maxDecodedBytes: maxNarBytes,
    decoders: bridge.decoders,
    stallMs,
    timeoutMs: uploadTimeoutMs,
  };
  const body = requestBody(request, limits);
  // Nix gives a file no suffix that it has compressed with what it has none for.
  const { compression, stream } =
    name.compression === "none" ? await detectCompression(body) : { ...name, stream: body };
  const file = new FileDigest();
  const isPlain = compression === "none";
  const nar = isPlain ? stream : decompressWhole(file.watch(stream), compression, bridge);
  const { node, narHash, narSize } = await ingestNar(within(nar, maxNarBytes), bridge, {
    expected: isPlain ? { narHash: name.hash } : { check: (found) => checkName(name, found, file) },
    underWay: bridge.underWay,
  });
  // Flushed together; a file is known as long as its NAR is, so it comes after that.
  await Promise.all([
    bridge.narIndex.put({ narHash, narSize, node, lasting: false }),
    bridge.narCalculationService?.keep?.(node, { narHash, narSize }),
  ]);
  if (file.digest !== undefined) await bridge.narIndex.putFile(file.digest, { narHash, compression });
  await storePending(bridge, narHash, request.log, options);
}

/** A compressed file is named by its own hash, as Nix does, or by that of the NAR in it, as we do. */
function checkName(
  { hash }: NarFileName,
  { narHash }: { narHash: NarFileName["hash"] },
  file: FileDigest,
): void {
  if (file.digest?.equals(hash) === true || narHash.equals(hash)) return;
  throw new NarBridgeError(
    "FILE_HASH_MISMATCH",
    `neither the body (${file.digest}) nor the NAR in it (${narHash}) has the hash ${hash} that the path states`,
  );
}

/** What was compressed; the source is read to its end, which a decoder may not care for. */
async function* decompressWhole(
  source: ByteStream,
  compression: NarFileName["compression"],
  { decoders }: Bridge,
): ByteStream {
  const iterator = source[Symbol.asyncIterator]();
  yield* decompress({ [Symbol.asyncIterator]: () => iterator } as ByteStream, compression, decoders);
  while ((await iterator.next()).done !== true);
}
