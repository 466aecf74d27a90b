import { checkAddress, parameter } from "./addresses.ts";
import type { Part } from "./entry.ts";
import { type Keys, oneOf, optional, required, service } from "./keys.ts";
import type { ServiceKind } from "./service-kind.ts";

/** Makes an entry of an address. */
export type OfAddress = <K extends ServiceKind>(kind: K, address: string) => Part<K>;

/** A service in front of another. */
export interface Layers<K extends ServiceKind> {
  readonly near: Part<K>;
  readonly far: Part<K>;
}

/** The same, where what is asked of the far one is kept near. */
export interface CacheLayers<K extends ServiceKind> extends Layers<K> {
  /** Where puts go. */
  readonly writes: "near" | "far" | undefined;
}

/** Keys of {@link Layers}. */
export function layerKeys<K extends ServiceKind>(kind: K, ofAddress: OfAddress): Keys<Layers<K>> {
  const part = service<K>(kind, ofAddress);
  return { near: required(part), far: required(part) };
}

/** What tvix-store calls them. */
export const LAYER_ALIASES = { local: "near", remote: "far" } as const;

/** Keys of {@link CacheLayers}. */
export function cacheKeys<K extends ServiceKind>(kind: K, ofAddress: OfAddress): Keys<CacheLayers<K>> {
  return { ...layerKeys(kind, ofAddress), writes: optional(oneOf("near", "far")) };
}

/** `cache://?near=…&far=…`: addresses of the two, percent-encoded where they hold `&` or `#`. */
export function cacheAddress<K extends ServiceKind>(kind: K, url: URL, ofAddress: OfAddress): CacheLayers<K> {
  checkAddress(url, { parameters: ["near", "far", "writes"] });
  const writes = url.searchParams.get("writes");
  return {
    near: ofAddress(kind, parameter(url, "near")),
    far: ofAddress(kind, parameter(url, "far")),
    writes: writes === null ? undefined : oneOf("near", "far")(writes),
  };
}

/** A service of which a wrapper shows less, or more. */
export interface Wrapped<K extends ServiceKind> {
  readonly inner: Part<K>;
}

/** Keys of {@link Wrapped}. */
export function wrapperKeys<K extends ServiceKind>(kind: K, ofAddress: OfAddress): Keys<Wrapped<K>> {
  return { inner: required(service<K>(kind, ofAddress)) };
}
