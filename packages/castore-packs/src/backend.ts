/**
 * What packs that lie elsewhere are made with, and stores that have them.
 *
 * @module
 */
export { EXTENTS_ID } from "./extents-id.ts";
export {
  decodeRecordHead,
  encodeRecordHead,
  PAYLOAD_MAX_BYTES,
  RECORD_HEAD_BYTES,
  type RecordHead,
  recordChecksum,
} from "./record.ts";
export { openScratch } from "./scratch.ts";
