/** Longest message accepted unless told otherwise, in bytes: the default of gRPC. */
export const DEFAULT_MAX_MESSAGE_BYTES: number = 4 << 20;
