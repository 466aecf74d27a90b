/** Most things that one batch names. */
export const MAX_BATCH_ITEMS = 1000;

/** Longest blob that is put or read in a batch by our client, and read by any, in bytes. */
export const MAX_BATCHED_BLOB_BYTES: number = 64 << 10;

/** What an answer holds together at the most, in bytes. */
export const MAX_ANSWER_BYTES: number = 2 << 20;

/** Longest request, in bytes. */
export const MAX_REQUEST_BYTES: number = 2 << 20;
