import { CastoreError } from "../errors/castore-error.ts";

/**
 * Longest encoding of a directory that is stored unless told otherwise, in bytes: one of some 300,000
 * entries. A directory is one message on the wire, and what is stored has to be readable from there.
 */
export const DEFAULT_MAX_DIRECTORY_BYTES: number = 32 << 20;

/**
 * @param bytes length of an encoding, or what it has at least
 * @param where what the directory is called, for the message
 * @throws CastoreError TOO_LARGE
 */
export function checkDirectoryBytes(bytes: number, maxBytes: number, where: string): void {
  if (bytes <= maxBytes) return;
  throw new CastoreError(
    "TOO_LARGE",
    `${where} takes ${bytes} bytes or more as one message, and no more than ${maxBytes} are taken`,
    { subject: where },
  );
}
