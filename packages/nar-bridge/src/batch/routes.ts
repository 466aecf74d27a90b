import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError, mapConcurrently } from "@tvix/castore";
import { sendBody } from "@tvix/http-resource";
import { parseNarInfo, toStoreObjectInfo } from "@tvix/narinfo";
import { StoreError } from "@tvix/store";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { requestText } from "../http/request-body.ts";
import { STATUS_OF_BRIDGE_ERROR } from "../http/status.ts";
import type { Bridge } from "../options.ts";
import type { NarInfoTexts } from "../read/narinfo.ts";
import type { PullThrough } from "../upstream/pull-through.ts";
import { parseAskedPaths } from "./asked-paths.ts";
import { PartialClosures } from "./partial-closures.ts";

/** Where many narinfos are asked for at once; announced in `nix-cache-info`. */
export const GET_NARINFOS_PATH = "/get-narinfos-v1";

/** Longest list of paths, in bytes: some 32,000 of them. */
const MAX_BODY_BYTES = 1 << 20;

/** Paths that are looked up at a time. */
const AT_ONCE = 16;

/** Answers for many paths in one request: `GetNarInfosV1` of Determinate Nix. */
export function addBatchRoutes(
  app: FastifyInstance,
  bridge: Bridge,
  texts: NarInfoTexts,
  pullThrough: PullThrough | undefined,
): void {
  const { decoders, limits } = bridge;
  const { stallMs, uploadTimeoutMs: timeoutMs } = limits;
  app.route({
    method: "POST",
    url: GET_NARINFOS_PATH,
    async handler(request, reply) {
      const asked = parseAskedPaths(
        await requestText(request, { maxBytes: MAX_BODY_BYTES, decoders, stallMs, timeoutMs }),
      );
      const lines = new NarInfoLines(bridge, texts, pullThrough, request.log);
      reply.headers({ "content-type": "application/x-ndjson", "cache-control": "no-store" });
      const open = () => lines.of(asked.values());
      await sendBody(reply, { status: 200, headers: {}, length: undefined, open }, stallMs);
      return reply;
    },
  });
}

/** One line of JSON for each path that is here, or in a cache that is asked for what is not. */
class NarInfoLines {
  readonly #bridge: Bridge;
  readonly #texts: NarInfoTexts;
  readonly #pullThrough: PullThrough | undefined;
  readonly #log: FastifyBaseLogger;
  readonly #closures: PartialClosures;

  constructor(
    bridge: Bridge,
    texts: NarInfoTexts,
    pullThrough: PullThrough | undefined,
    log: FastifyBaseLogger,
  ) {
    this.#bridge = bridge;
    this.#texts = texts;
    this.#pullThrough = pullThrough;
    this.#log = log;
    this.#closures = new PartialClosures(bridge.pathInfoService);
  }

  async *of(digests: Iterable<Uint8Array>): ByteStream {
    const encoder = new TextEncoder();
    for await (const line of mapConcurrently(digests, AT_ONCE, (digest) => this.#line(digest))) {
      if (line !== undefined) yield encoder.encode(line);
    }
  }

  async #line(digest: Uint8Array): Promise<string | undefined> {
    const text = await this.#narInfoText(digest);
    if (text === undefined) return undefined;
    const info = parseNarInfo(text);
    const partialClosure = await this.#closures.of(info);
    const hint = partialClosure.length === 0 ? {} : { partialClosure };
    return `${JSON.stringify({ ...toStoreObjectInfo(info), ...hint })}\n`;
  }

  /** The same as for one path; what is damaged is absent, and does not keep the others from their answer. */
  async #narInfoText(digest: Uint8Array): Promise<string | undefined> {
    try {
      const info = await this.#bridge.pathInfoService.get(digest);
      if (info === undefined) return await this.#pullThrough?.narInfoText(digest);
      return this.#texts.known(info) ?? (await this.#texts.of(info));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#log.error({ err: error }, "a path of a batch is left out");
      return undefined;
    }
  }
}

/** What is answered with 404 where a path is asked for alone; a store that fails is no fault of the path. */
function isDamage(error: unknown): boolean {
  if (NarBridgeError.is(error)) return STATUS_OF_BRIDGE_ERROR[error.code] === 404;
  if (StoreError.is(error)) return error.code === "CORRUPT" || error.code === "SIZE_MISMATCH";
  return CastoreError.is(error) && (error.code === "CORRUPT" || error.code === "INCOMPLETE");
}
