import type { ByteStream } from "@tvix/byte-stream";
import { SHORT_LIVED, sendBody } from "@tvix/http-resource";
import { writeListing } from "@tvix/nar";
import { outlineOf, type PathInfo } from "@tvix/store";
import type { FastifyReply, FastifyRequest } from "fastify";
import { noSuchFile, parsePathDigest, shown } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import { sendSideFile } from "../side-files/send.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import { noticingDamage, watchedForDamage } from "./notice-damage.ts";

/**
 * Answers for the listing of a path: made from its tree, or what was uploaded where there is
 * no path info.
 */
export async function sendListing(
  bridge: Bridge,
  pullThrough: PullThrough | undefined,
  digits: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const digest = parsePathDigest(digits);
  if (digest === undefined) throw noSuchFile(shown(`${digits}.ls`));
  const info = await bridge.pathInfoService.get(digest);
  if (info === undefined) return await sendSideFile(bridge, pullThrough, `${digits}.ls`, request, reply);
  reply.type("application/json").header("cache-control", SHORT_LIVED);
  return await noticingDamage(bridge, info.node, async () => {
    // A name that is not UTF-8, or a level too many, shows before the first byte is sent.
    for await (const _ of listing(bridge, info, undefined));
    if (request.method === "HEAD") return reply.send();
    const open = (signal: AbortSignal) => watchedForDamage(bridge, info.node, listing(bridge, info, signal));
    await sendBody(reply, { status: 200, headers: {}, length: undefined, open }, bridge.limits.stallMs);
    return reply;
  });
}

async function* listing(
  { directoryService }: Bridge,
  { node }: PathInfo,
  signal: AbortSignal | undefined,
): ByteStream {
  const encoder = new TextEncoder();
  for await (const text of writeListing(outlineOf(node, directoryService, { signal }))) {
    yield encoder.encode(text);
  }
}
