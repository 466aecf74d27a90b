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
}

/** Counts contents. */
export class ContentCounter implements ContentCounts {
  blobs = 0;
  chunks = 0;
  directories = 0;
  bytes = 0;

  /** @param record of the content */
  add({ kind, digest }: Content, record: Uint8Array): void {
    if (kind === "blob") this.blobs++;
    else if (kind === "chunk") this.chunks++;
    else this.directories++;
    this.bytes += kind === "chunk" ? storedBytes(digest, record) : record.length;
  }
}

/** Bytes that a chunk takes; of one whose record is damaged, those of the record. */
export function storedBytes(digest: B3Digest, record: Uint8Array): number {
  try {
    const place = decodeChunkRecord(record, digest);
    return "payload" in place ? place.payload.length : place.storedLength;
  } catch {
    return record.length;
  }
}
