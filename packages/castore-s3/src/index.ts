/**
 * Chunks of `@tvix/castore` in objects of an S3-compatible store, many in each: what any number of servers share.
 *
 * @module
 */
export { parseS3Address, type S3Address } from "./address.ts";
export { Bucket, type BucketOptions } from "./bucket.ts";
export { type ExtentRecord, type ExtentState, OBJECT_EXTENTS } from "./extent-registry.ts";
export { NearBlocks } from "./near-blocks.ts";
export { S3Extents, type S3ExtentsOptions } from "./s3-extents.ts";
