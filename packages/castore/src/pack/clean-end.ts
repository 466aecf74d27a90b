import { type Database, keyPrefix } from "../level/database.ts";

/** Where the newest pack ended when its process closed it in good order. */
export interface CleanEnd {
  readonly pack: number;
  /** Length of the pack in bytes. */
  readonly end: number;
}

const KEY = keyPrefix("m1pack-end");

export async function readCleanEnd(database: Database): Promise<CleanEnd | undefined> {
  const stored = await database.get(KEY);
  if (stored === undefined) return undefined;
  const words = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  return { pack: words.getUint32(0), end: Number(words.getBigUint64(4)) };
}

/** Called before anything is appended: from then on only a close in good order sets it again. */
export async function forgetCleanEnd(database: Database): Promise<void> {
  await database.write([{ type: "del", key: KEY }]);
}

export async function writeCleanEnd(database: Database, { pack, end }: CleanEnd): Promise<void> {
  const value = new Uint8Array(12);
  const words = new DataView(value.buffer);
  words.setUint32(0, pack);
  words.setBigUint64(4, BigInt(end));
  await database.write([{ type: "put", key: KEY, value }]);
}
