import type { RecordStore } from "@tvix/castore";
import { FACTS } from "@tvix/castore/backend";
import type { PackEnd } from "./pack-directory.ts";

/** Where the newest pack ended when its process closed it in good order. */
const PACK_END = "pack-end";

export async function readCleanEnd(records: RecordStore): Promise<PackEnd | undefined> {
  const stored = await FACTS.get(records, PACK_END);
  if (stored === undefined) return undefined;
  const words = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  return { pack: words.getUint32(0), end: Number(words.getBigUint64(4)) };
}

/** Called before anything is appended: from then on only a close in good order sets it again. */
export async function forgetCleanEnd(records: RecordStore): Promise<void> {
  await records.write([FACTS.remove(PACK_END)]);
}

export async function writeCleanEnd(records: RecordStore, { pack, end }: PackEnd): Promise<void> {
  const value = new Uint8Array(12);
  const words = new DataView(value.buffer);
  words.setUint32(0, pack);
  words.setBigUint64(4, BigInt(end));
  await records.write([FACTS.put(PACK_END, value)]);
}
