import { parseUpstreamAddress, type Upstream } from "@tvix/nar-bridge/options";

/** A binary cache that path infos come from. */
export interface BinaryCacheAddress {
  readonly upstream: Upstream;
  /** The address, for people: without secrets. */
  toString(): string;
}

/**
 * Reads the address of a binary cache, as an upstream of the daemon has it; without keys it is believed.
 *
 * @throws TypeError that names the part that is wrong
 */
export function parseBinaryCache(address: string): BinaryCacheAddress {
  const upstream = parseUpstreamAddress(address);
  return { upstream, toString: () => upstream.url.href };
}

/** The address of a binary cache in a table: `https://host/path`, keys beside. */
export function binaryCacheOfTable(baseUrl: string, publicKeys: readonly string[] = []): BinaryCacheAddress {
  const keys = publicKeys.map((key) => `trusted-public-keys=${encodeURIComponent(key)}`).join("&");
  const separator = baseUrl.includes("?") ? "&" : "?";
  return parseBinaryCache(`nix+${baseUrl}${keys === "" ? "" : `${separator}${keys}`}`);
}
