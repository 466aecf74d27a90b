import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import { UpstreamPathInfoService } from "@tvix/nar-bridge";
import type { Upstream } from "@tvix/nar-bridge/options";
import type { IngestServices } from "@tvix/store";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import type { RepairSource } from "@tvix/store/repair";
import { type GrpcPeer, parseGrpcPeer } from "../compose/grpc-peer.ts";

/** Whom a store asks for what it has lost. */
export type RepairUpstream =
  | { readonly type: "store"; readonly address: string }
  | { readonly type: "binary-cache"; readonly upstream: Upstream };

/** How they are asked. */
export interface RepairSourceOptions {
  /** Takes the contents of paths that binary caches have. */
  readonly services: IngestServices;
  connect(peer: GrpcPeer): Promise<GrpcTransport>;
  readonly namespace?: "auto" | "tvix" | "snix" | undefined;
}

/** Sources of a repair, until they are let go. */
export interface OpenRepairSources extends AsyncDisposable {
  readonly sources: readonly RepairSource[];
}

/** Opens sources; each is asked when something is missing only. */
export async function openRepairSources(
  upstreams: readonly RepairUpstream[],
  options: RepairSourceOptions,
): Promise<OpenRepairSources> {
  await using opened = new AsyncDisposableStack();
  const sources: RepairSource[] = [];
  for (const upstream of upstreams) {
    sources.push(
      upstream.type === "store"
        ? await openStoreSource(upstream.address, options, opened)
        : openBinaryCache(upstream.upstream, options, opened),
    );
  }
  const stack = opened.move();
  return { sources, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function openStoreSource(
  address: string,
  { connect, namespace = "auto" }: RepairSourceOptions,
  opened: AsyncDisposableStack,
): Promise<RepairSource> {
  const transport = await connect(parseGrpcPeer(address));
  opened.use(transport);
  return {
    name: address,
    blobService: new GrpcBlobService(transport, { namespace }),
    directoryService: new GrpcDirectoryService(transport, { namespace }),
    pathInfoService: new GrpcPathInfoService(transport, { namespace }),
  };
}

function openBinaryCache(
  upstream: Upstream,
  { services }: RepairSourceOptions,
  opened: AsyncDisposableStack,
): RepairSource {
  const pathInfoService = new UpstreamPathInfoService(upstream, services);
  opened.defer(() => pathInfoService.close());
  return { name: upstream.url.host, pathInfoService };
}
