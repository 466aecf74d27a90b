import type { Node } from "@tvix/castore";
import { decodeNamelessNode, onlyKept, StoreError } from "@tvix/store";
import type { FastifyReply, FastifyRequest } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { noSuchFile } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import { plainForm, zstdForm } from "./nar-forms.ts";
import { sendPlainNar } from "./send-nar.ts";

/** Most bytes of a node: a link has a target of up to 4095. */
const NODE_MAX_BYTES = 4096;

/** Answers for the NAR of a root node that the path itself holds. */
export async function sendCastoreNar(
  bridge: Bridge,
  encoded: string,
  narSize: string | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const node = parseNode(encoded);
  const stated = parseNarSize(narSize);
  // A node that somebody has made up is no news of damage.
  const { narSize: length, zstdSize } = await bridge.narLengths.lengths(node);
  if (length !== stated) {
    throw new NarBridgeError("INVALID_REQUEST", `narsize is ${stated}, and the NAR has ${length} bytes`);
  }
  const reading = { ...bridge, narPlans: bridge.narPlans && onlyKept(bridge.narPlans) };
  const plain = plainForm(reading, node, encoded, length);
  const zstd = zstdForm(reading, node, encoded, zstdSize);
  return await sendPlainNar(request, reply, plain, zstd, bridge.limits.stallMs);
}

/** Strict: base64url without padding, of which there is one spelling. */
function parseNode(encoded: string): Node {
  const bytes = Buffer.from(encoded, "base64url");
  if (bytes.length === 0 || bytes.toString("base64url") !== encoded) throw noSuchFile("a node of that name");
  if (bytes.length > NODE_MAX_BYTES) throw noSuchFile(`a node of more than ${NODE_MAX_BYTES} bytes`);
  try {
    return decodeNamelessNode(new Uint8Array(bytes));
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    throw new NarBridgeError("NOT_FOUND", cause.message, { cause });
  }
}

function parseNarSize(text: string | undefined): number {
  const size = Number(text);
  if (text !== undefined && /^[0-9]+$/.test(text) && Number.isSafeInteger(size)) return size;
  throw new NarBridgeError("INVALID_REQUEST", "the query has no narsize, the length of the NAR in bytes");
}
