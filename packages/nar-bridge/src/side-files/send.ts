import { CastoreError } from "@tvix/castore";
import { SHORT_LIVED, sendBody } from "@tvix/http-resource";
import type { FastifyReply, FastifyRequest } from "fastify";
import { noSuchFile } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import type { PullThrough } from "../upstream/pull-through.ts";

/** What browsers are told, so that an uploaded file is never taken for a page of ours. */
const HARMLESS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
  "cache-control": SHORT_LIVED,
};

/** Answers GET and HEAD of a file beside the NARs; what is not here is asked of upstreams. */
export async function sendSideFile(
  bridge: Bridge,
  pullThrough: PullThrough | undefined,
  path: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const file = (await bridge.sideFiles.get(path)) ?? (await pullThrough?.sideFile(path));
  if (file === undefined) throw noSuchFile(path);
  const stream = await bridge.blobService.read(file.digest);
  if (stream === undefined) {
    throw new CastoreError("INCOMPLETE", `the contents of ${path} are not in the store`, { subject: path });
  }
  reply.headers(HARMLESS).type(file.contentType ?? "application/octet-stream");
  if (request.method === "HEAD") return reply.header("content-length", file.size).send();
  const body = { status: 200, headers: {}, length: file.size, open: () => stream };
  await sendBody(reply, body, bridge.limits.stallMs);
  return reply;
}
