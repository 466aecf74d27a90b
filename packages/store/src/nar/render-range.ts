import type { ByteStream } from "@tvix/byte-stream";
import type { Node, OperationOptions } from "@tvix/castore";
import { narSegments } from "@tvix/nar";
import { openContents, sizeMismatch } from "./contents.ts";
import { type BlobFile, outlineOf } from "./outline.ts";
import type { RenderServices } from "./render.ts";

/** A part of a NAR. */
export interface NarRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Place behind the last byte; beyond the end of the NAR there is nothing. */
  readonly end: number;
}

/**
 * A part of the NAR of a node. Of the files only the parts that lie in it are read; the
 * directories in front of it are looked up.
 *
 * @throws RangeError for places that are no whole numbers from 0 on; otherwise as `renderNar`
 */
export async function* renderNarRange(
  root: Node,
  range: NarRange,
  services: RenderServices,
  options: OperationOptions = {},
): ByteStream {
  checkRange(range);
  let position = 0;
  for await (const segment of narSegments<BlobFile>(outlineOf(root, services.directoryService, options))) {
    if (position >= range.end) return;
    const length = segment instanceof Uint8Array ? segment.length : segment.size;
    const from = Math.max(0, range.start - position);
    const to = Math.min(length, range.end - position);
    position += length;
    if (from >= to) continue;
    if (segment instanceof Uint8Array) yield segment.subarray(from, to);
    else yield* contentsBetween(segment, from, to, services, options);
  }
}

/** A part of the contents of a file, which has to be as long as the tree says. */
async function* contentsBetween(
  file: BlobFile,
  from: number,
  to: number,
  { blobService }: RenderServices,
  options: OperationOptions,
): ByteStream {
  const part = { ...options, offset: from, length: to - from };
  let length = 0;
  for await (const piece of await openContents(file, blobService, part)) {
    length += piece.length;
    yield piece;
  }
  if (length !== to - from) throw sizeMismatch(file);
}

function checkRange({ start, end }: NarRange): void {
  for (const place of [start, end]) {
    if (!Number.isSafeInteger(place) || place < 0) throw new RangeError(`${place} is no place in a NAR`);
  }
}
