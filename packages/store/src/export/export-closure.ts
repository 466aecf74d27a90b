import { type ByteStream, concatBytes } from "@tvix/byte-stream";
import type { StorePath } from "@tvix/nix-compat";
import { ClosureWalk } from "../copy/closure.ts";
import { type RenderOptions, type RenderServices, renderNar } from "../nar/render.ts";
import type { PlannedNarServices } from "../nar/stored/plans.ts";
import { renderStoredNar } from "../nar/stored/render-plain.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/** Stands behind the NAR of each path. */
const MARK = 0x4558494e;

/** What exporting needs. */
export interface ExportServices extends RenderServices {
  readonly pathInfoService: PathInfoService;
  /** The same blobs as they are stored. Default: they are read one after the other. */
  readonly storedBlobs?: PlannedNarServices["storedBlobs"] | undefined;
  /** As {@link PlannedNarServices} has them. */
  readonly narPlans?: PlannedNarServices["narPlans"];
}

/**
 * Paths with everything that they refer to as `nix-store --export` writes them and `nix-store --import` reads them:
 * references first, each path once, NARs uncompressed and without signatures. Memory grows with the number of paths
 * only, some hundred bytes for each. Where blobs are at hand as they are stored, chunks that lie together are read together,
 * in the order in which they lie.
 *
 * @throws StoreError MISSING_REFERENCES when a path refers to one that is not there; what rendering throws
 */
export async function* exportClosure(
  roots: Iterable<PathInfo>,
  services: ExportServices,
  options: RenderOptions = {},
): ByteStream {
  const closure = new ClosureWalk(services.pathInfoService);
  for (const root of roots) {
    for await (const info of closure.from(root, options)) {
      yield word(1n);
      yield* narOf(info, services, options);
      yield describe(info);
    }
  }
  yield word(0n);
}

function narOf({ node }: PathInfo, services: ExportServices, options: RenderOptions): ByteStream {
  const { storedBlobs } = services;
  if (storedBlobs === undefined) return renderNar(node, services, options);
  return renderStoredNar(node, { ...services, storedBlobs }, options);
}

/** What stands behind a NAR. */
function describe({ storePath, references, deriver }: PathInfo): Uint8Array {
  const sorted = [...references].sort((a, b) => a.compare(b)).map(absolute);
  return concatBytes([
    word(BigInt(MARK)),
    text(absolute(storePath)),
    word(BigInt(sorted.length)),
    ...sorted.map(text),
    text(deriver === undefined ? "" : absolute(deriver)),
    // No signature: those of narinfos have no place here.
    word(0n),
  ]);
}

function absolute(path: StorePath): string {
  return path.toAbsolute();
}

/** 64 bits, little-endian. */
function word(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** Its length, its bytes, and zeros up to the next multiple of 8. */
function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  const padded = new Uint8Array(8 + Math.ceil(bytes.length / 8) * 8);
  padded.set(word(BigInt(bytes.length)));
  padded.set(bytes, 8);
  return padded;
}
