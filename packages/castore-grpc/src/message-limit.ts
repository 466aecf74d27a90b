import { DEFAULT_MAX_DIRECTORY_BYTES } from "@tvix/castore/backend";

/**
 * Longest message that is sent or accepted unless told otherwise, in bytes: a directory of some
 * 300,000 entries.
 */
export const DEFAULT_MAX_MESSAGE_BYTES: number = DEFAULT_MAX_DIRECTORY_BYTES;
