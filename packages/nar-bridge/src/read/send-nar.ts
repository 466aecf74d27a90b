import { accepts, IMMUTABLE, type Resource, sendResource } from "@tvix/http-resource";
import type { FastifyReply, FastifyRequest } from "fastify";

const NAR_TYPE = "application/x-nix-nar";

/** Answers GET and HEAD of a NAR, or of a part of it. */
export async function sendNar(
  request: FastifyRequest,
  reply: FastifyReply,
  form: Resource,
  stallMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<FastifyReply> {
  const told = { "cache-control": IMMUTABLE, "content-type": NAR_TYPE, ...headers };
  return await sendResource(request, reply, form, told, stallMs);
}

/**
 * Answers with the NAR itself, coded as zstd for clients that take it: they get what is stored.
 * Parts are always those of the NAR itself.
 */
export async function sendPlainNar(
  request: FastifyRequest,
  reply: FastifyReply,
  plain: Resource,
  zstd: Resource | undefined,
  stallMs: number,
): Promise<FastifyReply> {
  const vary = { vary: "accept-encoding" };
  const coded = zstd !== undefined && request.headers.range === undefined && accepts(request.headers, "zstd");
  return coded
    ? await sendNar(request, reply, zstd, stallMs, { ...vary, "content-encoding": "zstd" })
    : await sendNar(request, reply, plain, stallMs, vary);
}
