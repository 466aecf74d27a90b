/**
 * What packs that lie elsewhere are made with.
 *
 * @module
 */
export { EXTENTS_ID } from "./extents-id.ts";
export {
  decodeRecordHead,
  encodeRecordHead,
  isIntactRecord,
  PAYLOAD_MAX_BYTES,
  RECORD_HEAD_BYTES,
  recordChecksum,
} from "./record.ts";
