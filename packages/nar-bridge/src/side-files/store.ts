import type { ByteStream } from "@tvix/byte-stream";
import { StoreError } from "@tvix/store";
import type { FastifyRequest } from "fastify";
import { requestBody } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import type { PutSideFileOptions, SideFile } from "./side-files.ts";

/** Longest content type that is kept. */
const CONTENT_TYPE = /^[\x20-\x7e]{1,200}$/;

/** The store path that a log is named by: that of its derivation. */
const LOG_NAME = /^log\/[0-9a-z]{32}-(.*)$/;

/**
 * Stores the body of a request as a side file. Whoever may only add replaces none, and whoever may tell only of names that
 * begin with a prefix adds no logs of others.
 *
 * @throws NarBridgeError as {@link requestBody}; StoreError CONFLICT, FORBIDDEN
 */
export async function storeSideFile(bridge: Bridge, path: string, request: FastifyRequest): Promise<void> {
  const { stallMs, uploadTimeoutMs: timeoutMs, maxSideFileBytes: maxBytes } = bridge.limits;
  const body = requestBody(request, { maxBytes, decoders: bridge.decoders, stallMs, timeoutMs });
  const principal = bridge.principalOf?.(request.raw);
  const prefix = principal?.pathPrefix;
  if (prefix !== undefined && LOG_NAME.exec(path)?.[1]?.startsWith(prefix) === false) {
    const text = `${principal?.name} may only tell of paths whose names begin with ${JSON.stringify(prefix)}`;
    throw new StoreError("FORBIDDEN", text);
  }
  const mayReplace = principal?.mayReplace ?? true;
  await keepSideFile(bridge, path, body, request.headers["content-type"], { mayReplace });
}

/** Stores bytes as a side file, in place of what was there unless that may not be. */
export async function keepSideFile(
  { blobService, sideFiles }: Pick<Bridge, "blobService" | "sideFiles">,
  path: string,
  contents: ByteStream,
  contentType: string | undefined,
  options: PutSideFileOptions = {},
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
  await sideFiles.put(path, file, options);
  return file;
}
