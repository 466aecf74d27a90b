import { ByteBudget, UNLIMITED_MEMORY } from "@tvix/castore";
import { SizedBuffers } from "@tvix/castore/backend";
import { UNIT_BUFFER_LENGTHS } from "@tvix/store";
import type { FastifyPluginAsync } from "fastify";
import { addBatchRoutes } from "./batch/routes.ts";
import { addExportRoutes } from "./export/routes.ts";
import { addFileIndexRoutes } from "./file-index/routes.ts";
import { answerErrors } from "./http/answer-errors.ts";
import { type Bridge, DEFAULT_LIMITS, type NarBridgeOptions } from "./options.ts";
import { NarInfoTexts } from "./read/narinfo.ts";
import { addReadRoutes } from "./read/routes.ts";
import { addSideFileRoutes } from "./side-files/routes.ts";
import { PullThrough } from "./upstream/pull-through.ts";
import { LengthsAhead } from "./write/lengths-ahead.ts";
import { addWriteRoutes } from "./write/routes.ts";
import { UploadGate } from "./write/upload-gate.ts";

/** What fastify takes for the type of a body. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;[^,]*)?$/;

/** How often NARs without a narinfo are looked through, in milliseconds. */
const EXPIRY_INTERVAL_MS = 3_600_000;

/**
 * A Nix HTTP binary cache: what `nix copy` and substituters speak, below the prefix at which
 * it is registered.
 *
 * ```ts
 * await fastify().register(narBridge, { ...services });
 * ```
 */
export const narBridge: FastifyPluginAsync<NarBridgeOptions> = async (app, options) => {
  const bridge = decided(options);
  const gate = new UploadGate({ writable: bridge.writable, ...bridge.limits });
  const { pullThrough: from } = options;
  const pullThrough = from === undefined ? undefined : new PullThrough(bridge, from, app.log);

  // Bodies are read as they come, by those who know what is in them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  app.addHook("onRequest", async ({ headers }) => {
    // Nobody needs it here, and fastify would refuse one that it cannot read.
    const type = headers["content-type"];
    if (type !== undefined && !MEDIA_TYPE.test(type)) delete headers["content-type"];
  });
  answerErrors(app);
  const texts = new NarInfoTexts(bridge);
  addReadRoutes(app, bridge, texts, pullThrough);
  addBatchRoutes(app, bridge, texts, pullThrough);
  addExportRoutes(app, bridge);
  addWriteRoutes(app, bridge, gate, pullThrough);
  addFileIndexRoutes(app, bridge);
  addSideFileRoutes(app, bridge, gate, pullThrough);

  const expiry = setInterval(() => {
    const before = Date.now() - bridge.limits.pendingNarMs;
    Promise.all([bridge.narIndex.expire(before), bridge.pendingNarInfos.expire(before)]).catch((error) => {
      app.log.error({ err: error }, "NARs and narinfos without each other could not be looked through");
    });
  }, EXPIRY_INTERVAL_MS);
  expiry.unref();
  app.addHook("onClose", async () => {
    clearInterval(expiry);
    bridge.lengthsAhead.close();
    await pullThrough?.close();
  });
};

/** Buffers of each length that stay when nobody uses them. */
const KEPT_BUFFERS = 4;

function decided(options: NarBridgeOptions): Bridge {
  const { priority = 39, compression = "zstd", writable = true, principalOf, publicKeys = [] } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { blobService, directoryService, pathInfoService, narIndex, narLengths, storedBlobs, narPlans } =
    options;
  const { narCalculationService, memory = UNLIMITED_MEMORY } = options;
  const { sideFiles, narInfoExtras, pendingNarInfos } = options;
  return {
    blobService,
    directoryService,
    pathInfoService,
    narCalculationService,
    narIndex,
    narLengths,
    storedBlobs,
    narPlans,
    fileIndex: options.fileIndex,
    sideFiles,
    narInfoExtras,
    pendingNarInfos,
    priority,
    publicKeys,
    compression,
    writable,
    principalOf,
    meter: options.meter,
    limits,
    decoders: { memory, maxWindowBytes: limits.maxWindowBytes },
    readAhead: new ByteBudget(limits.readAheadBytes),
    lengthsAhead: new LengthsAhead(narLengths),
    buffers: new SizedBuffers(UNIT_BUFFER_LENGTHS, KEPT_BUFFERS),
    underWay: new ByteBudget(limits.underWayBytes),
  };
}
