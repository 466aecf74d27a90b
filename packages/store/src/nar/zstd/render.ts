import type { ByteStream } from "@tvix/byte-stream";
import { ByteBudget, type Node } from "@tvix/castore";
import { type Loadable, readAhead } from "../read-ahead.ts";
import { READ_AHEAD_BYTES, type RenderOptions } from "../render.ts";
import type { NarRange } from "../render-range.ts";
import { readPart, type ZstdNarServices, type ZstdPart, zstdParts } from "./parts.ts";

/** Options of {@link renderZstdNar}. */
export interface RenderZstdOptions extends RenderOptions {
  /** Which part of the compressed bytes. Default: all. */
  readonly range?: NarRange | undefined;
}

/**
 * The NAR of a node as a zstd stream, without compressing anything: the same bytes every time,
 * as long as the chunks are stored as they are. What is passed on of a chunk is what was once
 * stored under its digest; it is not decoded for that.
 *
 * @throws as {@link zstdParts}
 */
export async function* renderZstdNar(
  root: Node,
  services: ZstdNarServices,
  options: RenderZstdOptions = {},
): ByteStream {
  const { range = { start: 0, end: Number.MAX_SAFE_INTEGER } } = options;
  const budget = options.readAhead ?? new ByteBudget(READ_AHEAD_BYTES);
  yield* readAhead(loadables(zstdParts(root, services, options), range, services, options), budget);
}

/** The parts that lie in a range, cut to it. */
async function* loadables(
  parts: AsyncIterable<ZstdPart>,
  range: NarRange,
  { storedBlobs }: ZstdNarServices,
  options: RenderZstdOptions,
): AsyncGenerator<Loadable<Uint8Array>, void, undefined> {
  let position = 0;
  for await (const part of parts) {
    if (position >= range.end) return;
    const from = Math.max(0, range.start - position);
    const to = Math.min(part.length, range.end - position);
    position += part.length;
    if (from >= to) continue;
    const isWhole = from === 0 && to === part.length;
    yield {
      bytes: "frame" in part ? 0 : part.length,
      async load() {
        const bytes = await readPart(part, storedBlobs, options);
        return isWhole ? bytes : bytes.subarray(from, to);
      },
    };
  }
}
