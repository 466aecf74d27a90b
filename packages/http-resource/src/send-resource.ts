import type { ByteStream } from "@tvix/byte-stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type ByteRange, parseRange } from "./byte-range.ts";
import { isKnownToClient, rangeOf } from "./conditions.ts";
import { leavingOf, sendBody } from "./send-body.ts";

/** Bytes that can be had, as a whole or in part. */
export interface Resource {
  /** With its quotes. The same for the same bytes only. */
  readonly etag: string;
  /** In bytes, where it is known without reading. */
  readonly length: number | undefined;
  /** Finds out the length, for those who want a part; absent where only the whole can be had. */
  readonly measure?: ((signal: AbortSignal) => Promise<number>) | undefined;
  /** @param range undefined for the whole. The memory of a piece may be used again as soon as the next one is asked for */
  open(signal: AbortSignal, range: ByteRange | undefined): ByteStream;
}

/**
 * Answers GET and HEAD of a resource (RFC 9110): 200, 206 for a part, 304 for whoever has it, 416 for a part
 * behind its end.
 *
 * @param headers of the answer, whatever its status
 * @param stallMs time without a byte going out after which the client is taken for gone, in milliseconds
 */
export async function sendResource(
  request: FastifyRequest,
  reply: FastifyReply,
  resource: Resource,
  headers: Readonly<Record<string, string>>,
  stallMs: number,
): Promise<FastifyReply> {
  const { etag } = resource;
  reply.headers({ ...headers, etag });
  const hasParts = resource.length !== undefined || resource.measure !== undefined;
  if (hasParts) reply.header("accept-ranges", "bytes");
  if (isKnownToClient(request.headers, etag)) return reply.code(304).send();
  // A part can be asked for by GET alone (RFC 9110, 14.2).
  const asked = request.method === "GET" ? rangeOf(request.headers, etag) : undefined;
  const length =
    resource.length ?? (asked === undefined ? undefined : await resource.measure?.(leavingOf(reply).signal));
  const range = length === undefined ? undefined : parseRange(asked, length);
  if (range === "unsatisfiable") {
    reply.headers({ "content-range": `bytes */${length}`, "cache-control": "no-store" });
    return reply.code(416).type("text/plain; charset=utf-8").send("the range lies outside of it\n");
  }
  if (range !== undefined) reply.header("content-range", `bytes ${range.start}-${range.end - 1}/${length}`);
  const status = range === undefined ? 200 : 206;
  const sent = range === undefined ? length : range.end - range.start;
  if (request.method === "HEAD") {
    if (sent !== undefined) reply.header("content-length", sent);
    return reply.code(status).send();
  }
  const open = (signal: AbortSignal) => resource.open(signal, range);
  await sendBody(reply, { status, headers: {}, length: sent, open }, stallMs);
  return reply;
}
