import type { FastifyInstance } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { noSuchFile, parseNarFileName, parsePathDigest, shown } from "../http/paths.ts";
import { requestText } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import { storeSideFile } from "../side-files/store.ts";
import { storeNar } from "./nar.ts";
import { NARINFO_MAX_BYTES, storeNarInfo } from "./narinfo.ts";
import type { UploadGate } from "./upload-gate.ts";

const FILE = /^([0-9a-z]{32})\.(narinfo|ls)$/;

/** What Nix uploads to a binary cache, but for side files. */
export function addWriteRoutes(app: FastifyInstance, bridge: Bridge, gate: UploadGate): void {
  const { stallMs, uploadTimeoutMs: timeoutMs } = bridge.limits;

  app.route<{ Params: { file: string } }>({
    method: "PUT",
    url: "/:file",
    async handler(request, reply) {
      const { file } = request.params;
      const [, digits = "", kind] = FILE.exec(file) ?? [];
      const digest = parsePathDigest(digits);
      if (digest === undefined) throw noSuchFile(shown(file));
      gate.checkWritable();
      if (kind === "ls") {
        await storeSideFile(bridge, file, request);
      } else {
        const limits = { maxBytes: NARINFO_MAX_BYTES, stallMs, timeoutMs };
        await storeNarInfo(bridge, digest, await requestText(request, limits));
      }
      return reply.send();
    },
  });

  app.route<{ Params: { "*": string } }>({
    method: "PUT",
    url: "/nar/*",
    async handler(request, reply) {
      const file = request.params["*"];
      const name = parseNarFileName(file);
      if (name === undefined) {
        throw new NarBridgeError(
          "INVALID_REQUEST",
          `${shown(file)} does not name a NAR: expected its SHA-256, .nar, and one of the suffixes .xz .zst .bz2 .gz .br or none`,
        );
      }
      await gate.pass(() => storeNar(bridge, name, request));
      return reply.send();
    },
  });
}
