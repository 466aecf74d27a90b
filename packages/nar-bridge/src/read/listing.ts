import { writeListing } from "@tvix/nar";
import { outlineOf } from "@tvix/store";
import type { FastifyReply, FastifyRequest } from "fastify";
import { noSuchFile, parsePathDigest } from "../http/paths.ts";
import { sendBody } from "../http/send-body.ts";
import type { Bridge } from "../options.ts";
import { sendSideFile } from "../side-files/send.ts";

/**
 * Answers for the listing of a path: made from its tree, or what was uploaded where there is
 * no path info.
 */
export async function sendListing(
  bridge: Bridge,
  digits: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const digest = parsePathDigest(digits);
  if (digest === undefined) throw noSuchFile(`${digits}.ls`);
  const info = await bridge.pathInfoService.get(digest);
  if (info === undefined) return await sendSideFile(bridge, `${digits}.ls`, request, reply);
  reply.type("application/json");
  if (request.method === "HEAD") return reply.send();
  const encoder = new TextEncoder();
  await sendBody(
    reply,
    {
      status: 200,
      headers: {},
      length: undefined,
      async *open(signal) {
        const outline = outlineOf(info.node, bridge.directoryService, { signal });
        for await (const text of writeListing(outline)) yield encoder.encode(text);
      },
    },
    bridge.limits.stallMs,
  );
  return reply;
}
