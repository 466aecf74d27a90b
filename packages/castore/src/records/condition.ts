import { equalBytes } from "@tvix/byte-stream";
import type { RecordCondition } from "./record-store.ts";

/** Whether a condition holds for the value that its key has. */
export function holds({ value }: RecordCondition, known: Uint8Array | undefined): boolean {
  return known === undefined || value === undefined ? known === value : equalBytes(known, value);
}

/** The bytes of a key as characters, for maps. */
export function nameOfKey(key: Uint8Array): string {
  return String.fromCharCode.apply(undefined, key as unknown as number[]);
}
