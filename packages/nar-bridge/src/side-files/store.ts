import type { FastifyRequest } from "fastify";
import { requestBody } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";

/** Longest content type that is kept. */
const CONTENT_TYPE = /^[\x20-\x7e]{1,200}$/;

/**
 * Stores the body of a request as a side file.
 *
 * @throws NarBridgeError as {@link requestBody}
 */
export async function storeSideFile(bridge: Bridge, path: string, request: FastifyRequest): Promise<void> {
  const { blobService, sideFiles, limits } = bridge;
  const { stallMs, uploadTimeoutMs: timeoutMs, maxSideFileBytes: maxBytes } = limits;
  let size = 0;
  async function* counted() {
    for await (const piece of requestBody(request, { maxBytes, stallMs, timeoutMs })) {
      size += piece.length;
      yield piece;
    }
  }
  const digest = await blobService.put(counted());
  const type = request.headers["content-type"];
  const contentType = type !== undefined && CONTENT_TYPE.test(type) ? type : undefined;
  await sideFiles.put(path, { digest, size, contentType });
}
