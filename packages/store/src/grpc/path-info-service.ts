import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { equalBytes } from "@tvix/byte-stream";
import { InTurn, type Node, type OperationOptions } from "@tvix/castore";
import {
  fromConnectError,
  type GrpcClientOptions,
  leavingEarly,
  NamespaceChoice,
  NO_DIGEST,
} from "@tvix/castore-grpc";
import { encodeNixbase32, NixHash } from "@tvix/nix-compat";
import { EntrySchema } from "@tvix/protocol/snix/castore";
import * as snix from "@tvix/protocol/snix/store";
import { NodeSchema } from "@tvix/protocol/tvix/castore";
import * as tvix from "@tvix/protocol/tvix/store";
import { StoreError } from "../errors/store-error.ts";
import type { NarCalculationService, NarSummary } from "../nar/calculate.ts";
import { formatNode, formatPathInfo } from "../path-info/format.ts";
import { parsePathInfo } from "../path-info/parse.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import {
  checkPathDigest,
  type PathInfoService,
  type PutPathInfoOptions,
} from "../path-info/path-info-service.ts";
import { getIntact } from "../path-info/reconcile.ts";
import { translate } from "./snix-messages.ts";

/**
 * Path infos of a peer, by gRPC, gRPC-Web or Connect; the peer calculates NARs too. What it
 * answers is parsed like any input, and has to be about the path that was asked for.
 */
export class GrpcPathInfoService implements PathInfoService, NarCalculationService {
  readonly #peer: NamespaceChoice<Calls>;
  readonly #reconciling = new InTurn();

  constructor(transport: Transport, { namespace = "auto" }: GrpcClientOptions = {}) {
    const calls = {
      tvix: tvixCalls(createClient(tvix.PathInfoService, transport)),
      snix: snixCalls(createClient(snix.PathInfoService, transport)),
    };
    this.#peer = new NamespaceChoice(namespace, calls, (client) => client.get(NO_DIGEST, {}));
  }

  async get(digest: Uint8Array, { signal }: OperationOptions = {}): Promise<PathInfo | undefined> {
    checkPathDigest(digest);
    signal?.throwIfAborted();
    const what = `get of store path ${encodeNixbase32(digest)}`;
    let message: tvix.PathInfo;
    try {
      message = await (await this.#peer.client(signal)).get(digest, callOptions(signal));
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
      throw failureOf(error, what, signal);
    }
    const info = parseResponse(message);
    if (equalBytes(info.storePath.digest, digest)) return info;
    throw new StoreError("INVALID_RESPONSE", `${what}: the peer answered with ${info.storePath}`);
  }

  async put(info: PathInfo, { reconcile, ...options }: PutPathInfoOptions = {}): Promise<PathInfo> {
    if (reconcile === undefined) return await this.#put(info, options);
    // The protocol has no condition: those of this process take turns, others may come in between.
    return await this.#reconciling.run(info.storePath.digestText(), async () => {
      const known = await getIntact(this, info.storePath.digest, options);
      return await this.#put(reconcile(known, info), options);
    });
  }

  async #put(info: PathInfo, { signal }: OperationOptions): Promise<PathInfo> {
    signal?.throwIfAborted();
    const what = `put of ${info.storePath}`;
    let message: tvix.PathInfo;
    try {
      message = await (await this.#peer.client(signal)).put(formatPathInfo(info), callOptions(signal));
    } catch (error) {
      throw failureOf(error, what, signal);
    }
    const stored = parseResponse(message);
    if (stored.storePath.equals(info.storePath)) return stored;
    throw new StoreError("INVALID_RESPONSE", `${what}: the peer stored ${stored.storePath}`);
  }

  async *list({ signal }: OperationOptions = {}): AsyncIterable<PathInfo> {
    signal?.throwIfAborted();
    try {
      const client = await this.#peer.client(signal);
      const messages = leavingEarly((callSignal) => client.list({ signal: callSignal }), signal);
      for await (const message of messages) yield parseResponse(message);
    } catch (error) {
      throw failureOf(error, "list of path infos", signal);
    }
  }

  async calculateNar(root: Node, { signal }: OperationOptions = {}): Promise<NarSummary> {
    signal?.throwIfAborted();
    const node = create(NodeSchema, formatNode(root, new Uint8Array(0)));
    try {
      const client = await this.#peer.client(signal);
      const { narSize, narSha256 } = await client.calculate(node, callOptions(signal));
      return { narSize: Number(narSize), narHash: NixHash.from("sha256", narSha256) };
    } catch (error) {
      throw failureOf(error, "calculation of a NAR", signal);
    }
  }
}

/** The methods in messages of tvix, whatever the peer's names are. */
interface Calls {
  get(digest: Uint8Array, options: { signal?: AbortSignal }): Promise<tvix.PathInfo>;
  put(message: tvix.PathInfo, options: { signal?: AbortSignal }): Promise<tvix.PathInfo>;
  list(options: { signal?: AbortSignal }): AsyncIterable<tvix.PathInfo>;
  calculate(
    node: Parameters<Client<typeof tvix.PathInfoService>["calculateNAR"]>[0],
    options: { signal?: AbortSignal },
  ): Promise<{ narSize: bigint; narSha256: Uint8Array }>;
}

const byOutputHash = (value: Uint8Array) => ({ byWhat: { case: "byOutputHash" as const, value } });

function tvixCalls(client: Client<typeof tvix.PathInfoService>): Calls {
  return {
    get: (digest, options) => client.get(byOutputHash(digest), options),
    put: (message, options) => client.put(message, options),
    list: (options) => client.list({}, options),
    calculate: (node, options) => client.calculateNAR(node, options),
  };
}

function snixCalls(client: Client<typeof snix.PathInfoService>): Calls {
  const fromSnix = (message: snix.PathInfo) => translate(snix.PathInfoSchema, message, tvix.PathInfoSchema);
  return {
    get: async (digest, options) => fromSnix(await client.get(byOutputHash(digest), options)),
    put: async (message, options) =>
      fromSnix(await client.put(translate(tvix.PathInfoSchema, message, snix.PathInfoSchema), options)),
    async *list(options) {
      for await (const message of client.list({}, options)) yield fromSnix(message);
    },
    calculate: (node, options) =>
      client.calculateNAR(translate(NodeSchema, create(NodeSchema, node), EntrySchema), options),
  };
}

function parseResponse(message: tvix.PathInfo): PathInfo {
  try {
    return parsePathInfo(message);
  } catch (cause) {
    throw new StoreError("INVALID_RESPONSE", `Invalid path info: ${(cause as Error).message}`, { cause });
  }
}

/** A failed call as an error of ours; what the peer refused as invalid is invalid here too. */
function failureOf(error: unknown, what: string, signal: AbortSignal | undefined): unknown {
  if (StoreError.is(error)) return error;
  if (signal?.aborted !== true && error instanceof ConnectError && error.code === Code.InvalidArgument) {
    return new StoreError("INVALID_PATH_INFO", `${what}: ${error.rawMessage}`, { cause: error });
  }
  return fromConnectError(error, what, signal);
}

function callOptions(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
