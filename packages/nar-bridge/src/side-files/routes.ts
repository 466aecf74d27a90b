import type { FastifyInstance, FastifyRequest } from "fastify";
import { noSuchFile, shown } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import type { UploadGate } from "../write/upload-gate.ts";
import { sendSideFile } from "./send.ts";
import { storeSideFile } from "./store.ts";

/** Kinds of side files by their folder, and what they are called in it. */
const KINDS: Readonly<Record<string, RegExp>> = {
  // By the name of the derivation.
  log: /^[0-9a-z]{32}-[0-9a-zA-Z+\-_?=.]{1,211}$/,
  // By the hash of a derivation, and the output.
  realisations: /^sha256:[0-9a-z]{52,64}![0-9a-zA-Z+\-_?=.]{1,211}\.doi$/,
  // The same since Nix 2.35, by the path of the derivation.
  "build-trace-v2": /^[0-9a-zA-Z+\-_?=.]{1,255}\/[0-9a-zA-Z+\-_?=.]{1,211}\.doi$/,
  // By build identifier.
  debuginfo: /^[0-9a-f]{8,64}(\.debug)?$/,
};

interface Path {
  readonly Params: { readonly "*": string };
}

/** Logs, realisations and debug information: kept and given back as they are. */
export function addSideFileRoutes(
  app: FastifyInstance,
  bridge: Bridge,
  gate: UploadGate,
  pullThrough: PullThrough | undefined,
): void {
  for (const [folder, names] of Object.entries(KINDS)) {
    const pathOf = ({ params }: FastifyRequest<Path>) => {
      const name = params["*"];
      if (!names.test(name)) throw noSuchFile(`${folder}/${shown(name)}`);
      return `${folder}/${name}`;
    };
    app.route<Path>({
      method: ["GET", "HEAD"],
      url: `/${folder}/*`,
      handler: (request, reply) => sendSideFile(bridge, pullThrough, pathOf(request), request, reply),
    });
    app.route<Path>({
      method: "PUT",
      url: `/${folder}/*`,
      async handler(request, reply) {
        const path = pathOf(request);
        gate.checkWritable();
        await storeSideFile(bridge, path, request);
        return reply.send();
      },
    });
  }
}
