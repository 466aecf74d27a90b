import { isOfTheIndex } from "./position.ts";

/** Derived records begin with it. */
const TILDE = 0x7e;

/** Whether a record belongs into a journal: not what can be made again, nor what is true of one index only. */
export function isLasting(key: Uint8Array): boolean {
  return key[0] !== TILDE && !isOfTheIndex(key);
}
