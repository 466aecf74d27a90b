import { randomBytes } from "node:crypto";
import { encodeHex } from "@tvix/byte-stream";
import type { RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";

/** Sixteen random bytes, drawn when a store is first opened: two stores differ in them, a store and its copies do not. */
const ID = "store";

const ID_BYTES = 16;

/** The identifier of a store as 32 hexadecimal digits; of one that has none and cannot be written, zeros. */
export async function storeIdOf(records: RecordStore, mayWrite: boolean): Promise<string> {
  const known = await FACTS.get(records, ID);
  if (known !== undefined) return encodeHex(known);
  if (!mayWrite) return encodeHex(new Uint8Array(ID_BYTES));
  const id = randomBytes(ID_BYTES);
  // Another process may open it for the first time as well.
  const isFirst = await records.write([FACTS.put(ID, id)], [FACTS.isAbsent(ID)]);
  return isFirst ? encodeHex(id) : await storeIdOf(records, mayWrite);
}
