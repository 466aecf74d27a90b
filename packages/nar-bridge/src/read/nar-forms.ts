import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { type NarRange, renderNar, renderNarRange, renderZstdNar } from "@tvix/store";
import type { Bridge } from "../options.ts";
import { watchedForDamage } from "./notice-damage.ts";

/** A NAR in a form in which it can be sent. */
export interface NarForm {
  /** Tells this form from every other: the same tag, the same bytes. */
  readonly etag: string;
  /** In bytes; undefined where it is not known yet. */
  readonly length: number | undefined;
  /** Finds out the length, at the cost of making all of it. */
  measure?(signal: AbortSignal): Promise<number>;
  open(signal: AbortSignal, range?: NarRange): ByteStream;
}

/** The NAR itself. */
export function plainForm(bridge: Bridge, node: Node, name: string, length: number): NarForm {
  const { readAhead } = bridge;
  return {
    etag: `"${name}"`,
    length,
    open: (signal, range) =>
      watchedForDamage(
        bridge,
        node,
        range === undefined
          ? renderNar(node, bridge, { signal, readAhead })
          : renderNarRange(node, range, bridge, { signal }),
      ),
  };
}

/** The NAR as the zstd frames in which it is stored; undefined where these cannot be had. */
export function zstdForm(
  bridge: Bridge,
  node: Node,
  name: string,
  length: number | undefined,
): NarForm | undefined {
  const { storedBlobs, directoryService, readAhead } = bridge;
  if (storedBlobs === undefined || length === undefined) return undefined;
  return {
    etag: `"${name}-zstd-${length}"`,
    length,
    open: (signal, range) =>
      watchedForDamage(
        bridge,
        node,
        renderZstdNar(node, { storedBlobs, directoryService }, { signal, readAhead, range }),
      ),
  };
}
