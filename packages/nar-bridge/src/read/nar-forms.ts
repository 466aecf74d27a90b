import type { Node } from "@tvix/castore";
import type { Resource } from "@tvix/http-resource";
import { renderNar, renderNarRange, renderStoredNar, renderZstdNar } from "@tvix/store";
import type { Bridge } from "../options.ts";
import { watchedForDamage } from "./notice-damage.ts";

/** The NAR itself. */
export function plainForm(bridge: Bridge, node: Node, name: string, length: number): Resource {
  const { readAhead, storedBlobs, buffers } = bridge;
  const whole = (signal: AbortSignal) =>
    storedBlobs === undefined
      ? renderNar(node, bridge, { signal, readAhead })
      : renderStoredNar(node, { ...bridge, storedBlobs }, { signal, readAhead, buffers });
  return {
    etag: `"${name}"`,
    length,
    open: (signal, range) =>
      watchedForDamage(
        bridge,
        node,
        range === undefined ? whole(signal) : renderNarRange(node, range, bridge, { signal }),
      ),
  };
}

/** The NAR as the zstd frames in which it is stored; undefined where these cannot be had. */
export function zstdForm(
  bridge: Bridge,
  node: Node,
  name: string,
  length: number | undefined,
): Resource | undefined {
  const { storedBlobs, readAhead, buffers } = bridge;
  if (storedBlobs === undefined || length === undefined) return undefined;
  return {
    etag: `"${name}-zstd-${length}"`,
    length,
    open: (signal, range) =>
      watchedForDamage(
        bridge,
        node,
        renderZstdNar(node, { ...bridge, storedBlobs }, { signal, readAhead, range, buffers }),
      ),
  };
}
