import type { FastifyInstance, FastifyRequest } from "fastify";
import { noSuchFile } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import type { UploadGate } from "../write/upload-gate.ts";
import { sendSideFile } from "./send.ts";
import { storeSideFile } from "./store.ts";

/** Kinds of side files: their routes, and which names they have. */
const KINDS = [
  // Logs by the name of the derivation.
  { url: "/log/:name", pattern: /^[0-9a-z]{32}-[0-9a-zA-Z+\-_?=.]{1,211}$/ },
  // Realisations: the hash of a derivation, and the output.
  { url: "/realisations/:name", pattern: /^sha256:[0-9a-z]{52,64}![0-9a-zA-Z+\-_?=.]{1,211}\.doi$/ },
  // The same since Nix 2.35, by the path of the derivation.
  {
    url: "/build-trace-v2/:name/:output",
    pattern: /^[0-9a-zA-Z+\-_?=.]{1,255}\/[0-9a-zA-Z+\-_?=.]{1,211}\.doi$/,
  },
  // Where the debug information of a build identifier lies.
  { url: "/debuginfo/:name", pattern: /^[0-9a-f]{8,64}(\.debug)?$/ },
] as const;

type SideFileRequest = FastifyRequest<{ Params: { name: string; output?: string } }>;

/** Logs, realisations and debug information: kept and given back as they are. */
export function addSideFileRoutes(app: FastifyInstance, bridge: Bridge, gate: UploadGate): void {
  for (const { url, pattern } of KINDS) {
    const folder = url.split("/")[1] as string;
    const pathOf = ({ params: { name, output } }: SideFileRequest) => {
      const file = output === undefined ? name : `${name}/${output}`;
      if (!pattern.test(file)) throw noSuchFile(`${folder}/${file.slice(0, 300)}`);
      return `${folder}/${file}`;
    };
    app.route<{ Params: { name: string; output?: string } }>({
      method: ["GET", "HEAD"],
      url,
      handler: (request, reply) => sendSideFile(bridge, pathOf(request), request, reply),
    });
    app.route<{ Params: { name: string; output?: string } }>({
      method: "PUT",
      url,
      async handler(request, reply) {
        const path = pathOf(request);
        gate.checkWritable();
        await storeSideFile(bridge, path, request);
        return reply.send();
      },
    });
  }
}
