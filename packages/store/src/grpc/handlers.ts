import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { CastoreError, type OperationOptions } from "@tvix/castore";
import { operationOf } from "@tvix/castore-grpc";
import { isKeyName } from "@tvix/narinfo";
import { EntrySchema } from "@tvix/protocol/snix/castore";
import * as snix from "@tvix/protocol/snix/store";
import { type Node as NodeMessage, NodeSchema } from "@tvix/protocol/tvix/castore";
import * as tvix from "@tvix/protocol/tvix/store";
import { StoreError } from "../errors/store-error.ts";
import type { NarCalculationService } from "../nar/calculate.ts";
import { formatPathInfo } from "../path-info/format.ts";
import { parseNode, parsePathInfo } from "../path-info/parse.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";
import { translate } from "./snix-messages.ts";
import { toConnectError } from "./status.ts";

/** The services to put on the wire. */
export interface StoreServices {
  readonly pathInfoService: PathInfoService;
  readonly narCalculationService: NarCalculationService;
}

/** Serves path infos, under the names of tvix and of snix, on any Connect router. */
export function addStoreRoutes(router: ConnectRouter, services: StoreServices): ConnectRouter {
  router.service(tvix.PathInfoService, tvixHandlers(services));
  router.service(snix.PathInfoService, snixHandlers(services));
  return router;
}

function tvixHandlers(services: StoreServices): ServiceImpl<typeof tvix.PathInfoService> {
  const { get, put, calculate, list } = operations(services);
  return {
    get: (request, context) => get(request, operationOf(context)),
    put: (message, context) => put(message, operationOf(context)),
    calculateNAR: (node, context) => calculate(node, operationOf(context)),
    list: (_, context) => list(operationOf(context)),
  };
}

function snixHandlers(services: StoreServices): ServiceImpl<typeof snix.PathInfoService> {
  const { get, put, calculate, list } = operations(services);
  const toSnix = (message: tvix.PathInfo) => translate(tvix.PathInfoSchema, message, snix.PathInfoSchema);
  return {
    get: async (message, context) => {
      const request = translate(snix.GetPathInfoRequestSchema, message, tvix.GetPathInfoRequestSchema);
      return toSnix(await get(request, operationOf(context)));
    },
    put: async (message, context) => {
      const info = translate(snix.PathInfoSchema, message, tvix.PathInfoSchema);
      return toSnix(await put(info, operationOf(context)));
    },
    calculateNAR: async (entry, context) =>
      await calculate(translate(EntrySchema, entry, NodeSchema), operationOf(context)),
    async *list(_, context) {
      for await (const message of list(operationOf(context))) yield toSnix(message);
    },
  };
}

/** The methods of the protocol over services of ours, in messages of tvix. */
function operations({ pathInfoService, narCalculationService }: StoreServices) {
  return {
    async get({ byWhat }: tvix.GetPathInfoRequest, options: OperationOptions): Promise<tvix.PathInfo> {
      return await answering(options.signal, async () => {
        if (byWhat.case !== "byOutputHash") {
          throw new ConnectError("by_what needs to be specified", Code.InvalidArgument);
        }
        if (byWhat.value.length !== 20) {
          const text = `invalid output digest length: ${byWhat.value.length}, expected 20 bytes`;
          throw new ConnectError(text, Code.InvalidArgument);
        }
        const info = await pathInfoService.get(byWhat.value, options);
        if (info === undefined) throw new ConnectError("PathInfo not found", Code.NotFound);
        return formatPathInfo(info);
      });
    },

    async put(message: tvix.PathInfo, options: OperationOptions): Promise<tvix.PathInfo> {
      return await answering(options.signal, async () =>
        formatPathInfo(await pathInfoService.put(parseRequest(message), options)),
      );
    },

    async calculate(message: NodeMessage, options: OperationOptions) {
      return await answering(options.signal, async () => {
        const { narSize, narHash } = await narCalculationService.calculateNar(parseRoot(message), options);
        return { narSize: BigInt(narSize), narSha256: narHash.digest };
      });
    },

    async *list(options: OperationOptions): AsyncGenerator<tvix.PathInfo, void, undefined> {
      try {
        for await (const info of pathInfoService.list(options)) yield formatPathInfo(info);
      } catch (error) {
        throw toConnectError(error, options.signal);
      }
    },
  };
}

async function answering<T>(signal: AbortSignal | undefined, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw toConnectError(error, signal);
  }
}

/** What is to be stored; signatures that no narinfo can hold are not, though tvix takes them. */
function parseRequest(message: tvix.PathInfo): PathInfo {
  try {
    const info = parsePathInfo(message);
    const nameless = info.signatures.findIndex(({ name }) => !isKeyName(name));
    if (nameless < 0) return info;
    const name = JSON.stringify(info.signatures[nameless]?.name);
    throw new StoreError(
      "INVALID_PATH_INFO",
      `The signature at position ${nameless} is invalid: ${name} is not the name of a key`,
    );
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    throw new StoreError(cause.code, `Invalid path info: ${cause.message}`, { cause });
  }
}

function parseRoot(message: NodeMessage): ReturnType<typeof parseNode>["node"] {
  try {
    const { name, node } = parseNode(message);
    if (name.length === 0) return node;
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    throw new ConnectError(
      `invalid root node: ${cause.message}`,
      Code.InvalidArgument,
      undefined,
      undefined,
      cause,
    );
  }
  throw new ConnectError("invalid root node: its name is not empty", Code.InvalidArgument);
}
