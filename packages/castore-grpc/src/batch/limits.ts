/** Most things that one batch names. */
export const MAX_BATCH_ITEMS = 1000;

/** Longest blob that is read in a batch, in bytes. */
export const MAX_BATCHED_BLOB_BYTES: number = 64 << 10;

/** What an answer holds together at the most, in bytes. */
export const MAX_ANSWER_BYTES: number = 2 << 20;
