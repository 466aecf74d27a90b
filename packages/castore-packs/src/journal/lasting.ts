import { isDerived } from "../derived.ts";
import { isOfTheIndex } from "./position.ts";

/** Whether a record belongs into a journal: not what can be made again, nor what is true of one index only. */
export function isLasting(key: Uint8Array): boolean {
  return !isDerived(key) && !isOfTheIndex(key);
}
