export type { NarDirectory, NarEnd, NarEntry, NarFile, NarOutline, NarSymlink } from "./entry.ts";
export { NAR_ERROR_CODES, NarError, type NarErrorCode } from "./errors.ts";
export { NarLayout, type NarPlace, narSize } from "./layout.ts";
export { NAR_MAX_DEPTH, NAR_NAME_MAX_BYTES, NAR_TAG_MAX_BYTES, NAR_TARGET_MAX_BYTES } from "./limits.ts";
export {
  lookUpListing,
  type NarListing,
  type NarListingDirectory,
  type NarListingFile,
  type NarListingNode,
  type NarListingSymlink,
} from "./listing/listing.ts";
export { parseListing } from "./listing/parse-listing.ts";
export { writeListing } from "./listing/write-listing.ts";
export { type ReadNarOptions, readNar } from "./read-nar.ts";
export { narSegments, type WriteNarOptions } from "./segments.ts";
export { writeNar } from "./write-nar.ts";
