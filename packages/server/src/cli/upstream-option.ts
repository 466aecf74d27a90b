import { parseUpstream, type Upstream } from "@tvix/nar-bridge/options";
import { parseStoreAddress } from "./service-address.ts";

/** What a daemon asks for what it has not got: another store, or a Nix binary cache. */
export type DaemonUpstream =
  | { readonly type: "store"; readonly address: string }
  | { readonly type: "binary-cache"; readonly address: string; readonly upstream: Upstream };

/**
 * Reads `grpc+http(s)://host:port`, `grpc+unix:///path` or `nix+http(s)://…?trusted-public-keys=…`.
 *
 * @throws RangeError or TypeError that says what is wrong, without a password
 */
export function parseDaemonUpstream(address: string): DaemonUpstream {
  if (address.startsWith("grpc+")) return { type: "store", address: parseStoreAddress(address) };
  if (/^\w+:\/\//.test(address)) {
    throw new RangeError(
      "expected grpc+http(s)://… for another store, or nix+http(s)://… for a binary cache",
    );
  }
  return { type: "binary-cache", address, upstream: parseUpstream(address) };
}

/** The binary caches among upstreams, in their order. */
export function binaryCachesOf(upstreams: readonly DaemonUpstream[] = []): readonly Upstream[] {
  return upstreams.flatMap((one) => (one.type === "binary-cache" ? [one.upstream] : []));
}
