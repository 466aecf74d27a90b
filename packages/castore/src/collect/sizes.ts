import { decodeChunkRecord } from "../chunks/chunk-record.ts";
import type { B3Digest } from "../digest/b3-digest.ts";
import type { Content } from "../records/tables.ts";

/** What a look counts. */
export interface ContentCounts {
  readonly blobs: number;
  readonly chunks: number;
  readonly directories: number;
  /** Of chunks as they are stored, of lists and of directories, in bytes. */
  readonly bytes: number;
  /** Extents in which some of the chunks lie. */
  readonly extents: ReadonlySet<number>;
}

/** Counts contents. */
export class ContentCounter implements ContentCounts {
  blobs = 0;
  chunks = 0;
  directories = 0;
  bytes = 0;
  readonly extents: Set<number> = new Set();

  get isEmpty(): boolean {
    return this.blobs + this.chunks + this.directories === 0;
  }

  /** @param record of the content */
  add({ kind, digest }: Content, record: Uint8Array): void {
    if (kind === "blob") this.blobs++;
    else if (kind === "chunk") this.chunks++;
    else this.directories++;
    const place = kind === "chunk" ? placeOf(digest, record) : undefined;
    this.bytes += place?.storedLength ?? record.length;
    if (place?.extent !== undefined) this.extents.add(place.extent);
  }
}

/** Bytes that a chunk takes; of one whose record is damaged, those of the record. */
export function storedBytes(digest: B3Digest, record: Uint8Array): number {
  return placeOf(digest, record)?.storedLength ?? record.length;
}

/** How long a chunk is where it is stored, and in which extent; undefined for a damaged record. */
function placeOf(
  digest: B3Digest,
  record: Uint8Array,
): { readonly storedLength: number; readonly extent?: number } | undefined {
  try {
    const place = decodeChunkRecord(record, digest);
    return "payload" in place ? { storedLength: place.payload.length } : place;
  } catch {
    return undefined;
  }
}
