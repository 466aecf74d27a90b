import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { type NarRange, renderNar, renderNarRange, renderZstdNar } from "@tvix/store";
import { compressLive, type LiveCompression } from "../compression/compress.ts";
import type { Bridge } from "../options.ts";

/** A NAR in a form in which it can be sent. */
export interface NarForm {
  /** Tells this form from every other: the same tag, the same bytes. Undefined where that cannot be said. */
  readonly etag: string | undefined;
  /** In bytes; undefined where only sending it tells. */
  readonly length: number | undefined;
  open(signal: AbortSignal, range?: NarRange): ByteStream;
}

/** The NAR itself. */
export function plainForm(bridge: Bridge, node: Node, name: string, length: number): NarForm {
  const { readAhead } = bridge;
  return {
    etag: `"${name}"`,
    length,
    open: (signal, range) =>
      range === undefined
        ? renderNar(node, bridge, { signal, readAhead })
        : renderNarRange(node, range, bridge, { signal }),
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
      renderZstdNar(node, { storedBlobs, directoryService }, { signal, readAhead, range }),
  };
}

/** The NAR compressed while it is sent, for a client that has uploaded it like that. */
export function liveForm(bridge: Bridge, node: Node, compression: LiveCompression): NarForm {
  const { readAhead } = bridge;
  return {
    etag: undefined,
    length: undefined,
    open: (signal) => compressLive(renderNar(node, bridge, { signal, readAhead }), compression),
  };
}
