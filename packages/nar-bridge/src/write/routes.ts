import { parseCacheInfo } from "@tvix/narinfo";
import { STORE_DIR } from "@tvix/nix-compat";
import type { FastifyInstance } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { noSuchFile, parseNarFileName, parsePathDigest, shown } from "../http/paths.ts";
import { requestText } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import { storeSideFile } from "../side-files/store.ts";
import { storeNar } from "./nar.ts";
import { NARINFO_MAX_BYTES, type OfferedNars, storeNarInfo } from "./narinfo.ts";
import { UploadGate } from "./upload-gate.ts";

const FILE = /^([0-9a-z]{32})\.(narinfo|ls)$/;

/** Longest `nix-cache-info`, in bytes. */
const CACHE_INFO_MAX_BYTES = 64 << 10;

/**
 * Uploads of bzip2 at a time. It is decoded at a megabyte a second, also when its client has left
 * meanwhile: other uploads should not wait for it.
 */
const BZIP2_UPLOADS = 2;

/** What Nix uploads to a binary cache, but for side files. */
export function addWriteRoutes(
  app: FastifyInstance,
  bridge: Bridge,
  gate: UploadGate,
  offered: OfferedNars | undefined,
): void {
  const { stallMs, uploadTimeoutMs: timeoutMs } = bridge.limits;
  const { writable, limits, decoders } = bridge;
  const bzip2Gate = new UploadGate({ writable, ...limits, maxUploads: BZIP2_UPLOADS });

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
        return reply.send();
      }
      const limits = { maxBytes: NARINFO_MAX_BYTES, decoders, stallMs, timeoutMs };
      const outcome = await storeNarInfo(bridge, offered, digest, await requestText(request, limits), {
        principal: bridge.principalOf?.(request.raw),
      });
      if (outcome === "stored") return reply.send();
      const text = "kept until its NAR is uploaded, which has to be within a few days\n";
      return reply.code(202).type("text/plain; charset=utf-8").send(text);
    },
  });

  // Whoever uploads a whole cache uploads this too: nothing is kept of it.
  app.route({
    method: "PUT",
    url: "/nix-cache-info",
    async handler(request, reply) {
      gate.checkWritable();
      const limits = { maxBytes: CACHE_INFO_MAX_BYTES, decoders, stallMs, timeoutMs };
      const { storeDir } = parseCacheInfo(await requestText(request, limits));
      if (storeDir === STORE_DIR) return reply.send();
      const why = `StoreDir is ${shown(storeDir)}, and paths here lie in ${STORE_DIR}`;
      throw new NarBridgeError("INVALID_REQUEST", why);
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
          `${shown(file)} does not name a NAR: expected its SHA-256 or that of the file, .nar, and one of the suffixes .xz .zst .bz2 .gz .br .lzma or none`,
        );
      }
      const store = () =>
        gate.pass(() => storeNar(bridge, name, request, { principal: bridge.principalOf?.(request.raw) }));
      await (name.compression === "bzip2" ? bzip2Gate.pass(store) : store());
      return reply.send();
    },
  });
}
