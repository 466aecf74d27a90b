import type { ByteStream } from "@tvix/byte-stream";
import type { FastifyRequest } from "fastify";
import { requestBody } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import type { SideFile } from "./side-files.ts";

/** Longest content type that is kept. */
const CONTENT_TYPE = /^[\x20-\x7e]{1,200}$/;

/**
 * Stores the body of a request as a side file.
 *
 * @throws NarBridgeError as {@link requestBody}
 */
export async function storeSideFile(bridge: Bridge, path: string, request: FastifyRequest): Promise<void> {
  const { stallMs, uploadTimeoutMs: timeoutMs, maxSideFileBytes: maxBytes } = bridge.limits;
  const body = requestBody(request, { maxBytes, decoders: bridge.decoders, stallMs, timeoutMs });
  await keepSideFile(bridge, path, body, request.headers["content-type"]);
}

/** Stores bytes as a side file, in place of what was there. */
export async function keepSideFile(
  { blobService, sideFiles }: Pick<Bridge, "blobService" | "sideFiles">,
  path: string,
  contents: ByteStream,
  contentType: string | undefined,
): Promise<SideFile> {
  let size = 0;
  async function* counted() {
    for await (const piece of contents) {
      size += piece.length;
      yield piece;
    }
  }
  const digest = await blobService.put(counted());
  const isType = contentType !== undefined && CONTENT_TYPE.test(contentType);
  const file = { digest, size, contentType: isType ? contentType : undefined };
  await sideFiles.put(path, file);
  return file;
}
