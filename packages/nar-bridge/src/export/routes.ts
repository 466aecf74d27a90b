import type { ByteStream } from "@tvix/byte-stream";
import { letOthersRun } from "@tvix/castore";
import { leavingOf, sendBody } from "@tvix/http-resource";
import { ClosureWalk, exportClosure, type PathInfo, StoreError } from "@tvix/store";
import type { FastifyInstance } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { noSuchFile, parsePathDigest, shown } from "../http/paths.ts";
import type { Bridge } from "../options.ts";

/** Most paths that are asked for in one request; what they refer to comes with them. */
const MAX_ROOTS = 256;

/** Paths after which others have their turn. */
const PATHS_IN_A_ROW = 64;

/** Answers for paths with everything they refer to, in the form that `nix-store --import` reads. */
export function addExportRoutes(app: FastifyInstance, bridge: Bridge): void {
  app.route<{ Params: { "*": string } }>({
    method: ["GET", "HEAD"],
    url: "/closure/*",
    async handler(request, reply) {
      const roots = await rootsOf(bridge, request.params["*"]);
      // What is missing shows before the first byte is sent.
      await checkClosure(bridge, roots, leavingOf(reply).signal);
      reply.headers({ "content-type": "application/x-nix-export", "cache-control": "no-store" });
      if (request.method === "HEAD") return reply.send();
      const open = (signal: AbortSignal): ByteStream =>
        exportClosure(roots, bridge, { signal, readAhead: bridge.readAhead });
      await sendBody(reply, { status: 200, headers: {}, length: undefined, open }, bridge.limits.stallMs);
      return reply;
    },
  });
}

async function rootsOf(bridge: Bridge, text: string): Promise<readonly PathInfo[]> {
  const names = text.split(",");
  if (names.length > MAX_ROOTS) {
    throw new NarBridgeError("INVALID_REQUEST", `more than ${MAX_ROOTS} paths are asked for at once`);
  }
  const roots: PathInfo[] = [];
  for (const name of names) {
    // The name of a path may stand behind its hash.
    const digest = parsePathDigest(name.slice(0, 32));
    const info = digest && (await bridge.pathInfoService.get(digest));
    if (info === undefined || (name.length > 32 && name !== info.storePath.toString())) {
      throw noSuchFile(`the store path ${shown(name)}`);
    }
    roots.push(info);
  }
  return roots;
}

async function checkClosure(
  { pathInfoService }: Bridge,
  roots: readonly PathInfo[],
  signal: AbortSignal,
): Promise<void> {
  let paths = 0;
  const walk = new ClosureWalk(pathInfoService);
  try {
    for (const root of roots) {
      for await (const _ of walk.from(root, { signal })) {
        // What is at hand comes without any wait: others are to have their turns.
        if (++paths % PATHS_IN_A_ROW === 0) await letOthersRun();
        signal.throwIfAborted();
      }
    }
  } catch (cause) {
    if (!StoreError.is(cause) || cause.code !== "MISSING_REFERENCES") throw cause;
    throw new NarBridgeError("NOT_FOUND", `the closure is not here as a whole: ${cause.message}`, { cause });
  }
}
