import { SHORT_LIVED } from "@tvix/http-resource";
import { formatCacheInfo } from "@tvix/narinfo";
import { STORE_DIR } from "@tvix/nix-compat";
import type { FastifyInstance } from "fastify";
import { GET_NARINFOS_PATH } from "../batch/routes.ts";
import { FILE_INDEX_PATH } from "../file-index/routes.ts";
import { noSuchFile, parseNarFileName, parsePathDigest, shown } from "../http/paths.ts";
import type { Bridge } from "../options.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import { sendCastoreNar } from "./castore-nar.ts";
import { sendListing } from "./listing.ts";
import { LiveForms } from "./live-forms.ts";
import { sendNarFile } from "./nar-file.ts";
import type { NarInfoTexts } from "./narinfo.ts";

const READ = ["GET", "HEAD"];

/** The hash part of a store path that a file is named after; undefined for another kind of file. */
function hashPartBefore(suffix: string, file: string): string | undefined {
  return file.length === 32 + suffix.length && file.endsWith(suffix) ? file.slice(0, 32) : undefined;
}

/** Everything that Nix reads from a binary cache, but for side files. */
export function addReadRoutes(
  app: FastifyInstance,
  bridge: Bridge,
  texts: NarInfoTexts,
  pullThrough: PullThrough | undefined,
): void {
  const cacheInfo = formatCacheInfo({
    storeDir: STORE_DIR,
    wantMassQuery: true,
    priority: bridge.priority,
    getNarInfosV1: GET_NARINFOS_PATH,
    ...(bridge.fileIndex === undefined ? {} : { fileIndex: FILE_INDEX_PATH }),
    publicKeys: bridge.publicKeys,
  });
  const narFiles = { bridge, pullThrough, liveForms: new LiveForms(bridge) };

  // Whoever has registered this may have something of their own there.
  if (!app.hasRoute({ method: "GET", url: "/" })) {
    app.route({
      method: READ,
      url: "/",
      handler: (_request, reply) =>
        reply.type("text/plain; charset=utf-8").send("A Nix binary cache is here.\n"),
    });
  }

  app.route({
    method: READ,
    url: "/nix-cache-info",
    handler: (_request, reply) =>
      reply.type("text/x-nix-cache-info").header("cache-control", SHORT_LIVED).send(cacheInfo),
  });

  app.route<{ Params: { file: string } }>({
    method: READ,
    url: "/:file",
    async handler(request, reply) {
      const { file } = request.params;
      const listed = hashPartBefore(".ls", file);
      if (listed !== undefined) return await sendListing(bridge, pullThrough, listed, request, reply);
      const digest = parsePathDigest(hashPartBefore(".narinfo", file) ?? "");
      if (digest === undefined) throw noSuchFile(shown(file));
      const info = await bridge.pathInfoService.get(digest);
      const text =
        info === undefined
          ? await pullThrough?.narInfoText(digest)
          : (texts.known(info) ?? (await texts.of(info)));
      if (text === undefined) throw noSuchFile(file);
      return reply.type("text/x-nix-narinfo").header("cache-control", SHORT_LIVED).send(text);
    },
  });

  // Wildcards, because the length of other parameters is limited by who has made the server.
  app.route<{ Params: { "*": string } }>({
    method: READ,
    url: "/nar/*",
    async handler(request, reply) {
      const file = request.params["*"];
      const name = parseNarFileName(file);
      if (name === undefined) throw noSuchFile(shown(file));
      return await sendNarFile(narFiles, name, request, reply);
    },
  });

  for (const prefix of ["tvix-castore", "snix-castore"]) {
    app.route<{ Params: { "*": string }; Querystring: { narsize?: string } }>({
      method: READ,
      url: `/nar/${prefix}/*`,
      handler: (request, reply) =>
        sendCastoreNar(bridge, request.params["*"], request.query.narsize, request, reply),
    });
  }
}
