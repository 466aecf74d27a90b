/** Bytes of a blob that is put and read. */
export const TOTAL_BYTES: number = 1 << 30;

/** Bytes of a message of the baselines: that of our own client. */
export const PIECE_BYTES: number = 256 << 10;

/** Rounds of which the median counts. */
export const ROUNDS = 3;
