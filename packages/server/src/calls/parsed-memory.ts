import type { FieldCounter } from "./field-counter.ts";

/** What a field takes when it has been parsed, however short it is, in bytes: a view, or a message. */
const FIELD_BYTES = 200;

/**
 * What is taken for granted: a parsed message may take so many times its length. Entries of real directories, which are the
 * densest that people send, take some ten.
 */
const FREE_FACTOR = 24;

/** What any message may take beside. */
const FREE_BYTES = 4096;

/** Bytes that a message takes beyond that when it is parsed: a lot where it consists of hardly anything but fields. */
export function parsedBeyond({ fields }: FieldCounter, length: number): number {
  return Math.max(0, fields * FIELD_BYTES - FREE_FACTOR * length - FREE_BYTES);
}
