import type { FastifyReply, FastifyRequest } from "fastify";
import { parseRange } from "../http/byte-range.ts";
import { IMMUTABLE } from "../http/caching.ts";
import { accepts, isKnownToClient, rangeOf } from "../http/conditions.ts";
import { leavingOf, sendBody } from "../http/send-body.ts";
import type { NarForm } from "./nar-forms.ts";

const NAR_TYPE = "application/x-nix-nar";

/** Answers GET and HEAD of a NAR, or of a part of it. */
export async function sendNar(
  request: FastifyRequest,
  reply: FastifyReply,
  form: NarForm,
  stallMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<FastifyReply> {
  const { etag } = form;
  reply.headers({ "cache-control": IMMUTABLE, "content-type": NAR_TYPE, ...headers });
  reply.headers({ etag, "accept-ranges": "bytes" });
  if (isKnownToClient(request.headers, etag)) return reply.code(304).send();
  const asked = rangeOf(request.headers, etag);
  const length =
    form.length ?? (asked === undefined ? undefined : await form.measure?.(leavingOf(reply).signal));
  const range = length === undefined ? undefined : parseRange(asked, length);
  if (range === "unsatisfiable") {
    reply.headers({ "content-range": `bytes */${length}`, "cache-control": "no-store" });
    return reply.code(416).type("text/plain; charset=utf-8").send("the range lies outside of the NAR\n");
  }
  if (range !== undefined) reply.header("content-range", `bytes ${range.start}-${range.end - 1}/${length}`);
  const status = range === undefined ? 200 : 206;
  const sent = range === undefined ? length : range.end - range.start;
  if (request.method === "HEAD") {
    if (sent !== undefined) reply.header("content-length", sent);
    return reply.code(status).send();
  }
  const open = (signal: AbortSignal) => form.open(signal, range);
  await sendBody(reply, { status, headers: {}, length: sent, open }, stallMs);
  return reply;
}

/**
 * Answers with the NAR itself, coded as zstd for clients that take it: they get what is stored.
 * Parts are always those of the NAR itself.
 */
export async function sendPlainNar(
  request: FastifyRequest,
  reply: FastifyReply,
  plain: NarForm,
  zstd: NarForm | undefined,
  stallMs: number,
): Promise<FastifyReply> {
  const vary = { vary: "accept-encoding" };
  const coded = zstd !== undefined && request.headers.range === undefined && accepts(request.headers, "zstd");
  return coded
    ? await sendNar(request, reply, zstd, stallMs, { ...vary, "content-encoding": "zstd" })
    : await sendNar(request, reply, plain, stallMs, vary);
}
