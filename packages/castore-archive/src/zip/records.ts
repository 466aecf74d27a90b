/** An entry, as the list at the end of an archive has it. */
export interface ZipEntry {
  /** UTF-8. */
  readonly name: Uint8Array;
  readonly method: ZipMethod;
  /** Of Unix, with the type of the file. */
  readonly mode: number;
  readonly crc: number;
  /** In bytes. */
  readonly size: number;
  /** As it is in the archive, in bytes. */
  readonly packedSize: number;
  /** Where its local header begins. */
  readonly offset: number;
  /** Whether checksum and sizes stand behind the contents, as they were not known before. */
  readonly isDescribedBehind: boolean;
  /** Whether its sizes take 64 bits, as its local header has said. */
  readonly isLong: boolean;
}

/** Contents as they are, or deflated. */
export type ZipMethod = typeof STORED | typeof DEFLATED;
export const STORED = 0;
export const DEFLATED = 8;

/** The largest number of 32 bits stands for one that follows in 64, and so does that of 16 bits. */
const MAX_32 = 0xffff_ffff;
const MAX_16 = 0xffff;

/** Names are UTF-8; and sizes stand behind the contents. */
const FLAG_UTF8 = 1 << 11;
const FLAG_DESCRIPTOR = 1 << 3;

/** Versions of the format that a reader needs: for directories and deflate, and for sizes of 64 bits. */
const VERSION = 20;
const VERSION_LONG = 45;

/** Made on Unix: the mode is in the upper half of the attributes. */
const MADE_ON_UNIX = (3 << 8) | VERSION_LONG;

/** The first of January 1980, midnight: the earliest that there is, whatever the time zone. */
const DATE = (1 << 5) | 1;

/**
 * What stands in front of the contents of an entry. (APPNOTE of PKWARE, 4.3.7, from which all of these follow.)
 *
 * @param entry sizes and checksum count only where they do not stand behind the contents
 */
export function localHeader(entry: Omit<ZipEntry, "offset" | "mode">): Uint8Array {
  const { name, isLong, isDescribedBehind, crc, size, packedSize } = entry;
  const known = isDescribedBehind ? { crc: 0, size: 0, packedSize: 0 } : { crc, size, packedSize };
  const extra = isLong ? longExtra([known.size, known.packedSize]) : Buffer.alloc(0);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, 4, entry);
  header.writeUInt32LE(known.crc, 14);
  header.writeUInt32LE(isLong ? MAX_32 : known.packedSize, 18);
  header.writeUInt32LE(isLong ? MAX_32 : known.size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

/** What stands behind contents whose sizes were not known before (4.3.9). */
export function dataDescriptor({ crc, size, packedSize, isLong }: ZipEntry): Uint8Array {
  const descriptor = Buffer.alloc(isLong ? 24 : 16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  descriptor.writeUInt32LE(crc, 4);
  if (isLong) {
    descriptor.writeBigUInt64LE(BigInt(packedSize), 8);
    descriptor.writeBigUInt64LE(BigInt(size), 16);
  } else {
    descriptor.writeUInt32LE(packedSize, 8);
    descriptor.writeUInt32LE(size, 12);
  }
  return descriptor;
}

/** An entry in the list at the end (4.3.12). */
export function centralRecord(entry: ZipEntry): Uint8Array {
  const { name, mode, crc, size, packedSize, offset, isLong } = entry;
  const isFar = offset >= MAX_32;
  const extra = longExtra([...(isLong ? [size, packedSize] : []), ...(isFar ? [offset] : [])]);
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(MADE_ON_UNIX, 4);
  writeCommon(record, 6, entry);
  record.writeUInt32LE(crc, 16);
  record.writeUInt32LE(isLong ? MAX_32 : packedSize, 20);
  record.writeUInt32LE(isLong ? MAX_32 : size, 24);
  record.writeUInt16LE(name.length, 28);
  record.writeUInt16LE(extra.length, 30);
  record.writeUInt32LE((mode << 16) >>> 0, 38);
  record.writeUInt32LE(isFar ? MAX_32 : offset, 42);
  return Buffer.concat([record, name, extra]);
}

/** The end of an archive (4.3.14 to 4.3.16). */
export function endOfArchive(entries: number, listOffset: number, listLength: number): Uint8Array {
  const isLong = entries >= MAX_16 || listOffset >= MAX_32 || listLength >= MAX_32;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries, MAX_16), 10);
  end.writeUInt32LE(Math.min(listLength, MAX_32), 12);
  end.writeUInt32LE(Math.min(listOffset, MAX_32), 16);
  if (!isLong) return end;
  const long = Buffer.alloc(56 + 20);
  long.writeUInt32LE(0x06064b50, 0);
  long.writeBigUInt64LE(44n, 4);
  long.writeUInt16LE(MADE_ON_UNIX, 12);
  long.writeUInt16LE(VERSION_LONG, 14);
  long.writeBigUInt64LE(BigInt(entries), 24);
  long.writeBigUInt64LE(BigInt(entries), 32);
  long.writeBigUInt64LE(BigInt(listLength), 40);
  long.writeBigUInt64LE(BigInt(listOffset), 48);
  // And where that is.
  long.writeUInt32LE(0x07064b50, 56);
  long.writeBigUInt64LE(BigInt(listOffset + listLength), 64);
  long.writeUInt32LE(1, 72);
  return Buffer.concat([long, end]);
}

/** Version, flags, method, time and date: the same in front of the contents and in the list. */
function writeCommon(
  record: Buffer,
  at: number,
  { isLong, isDescribedBehind, method }: Pick<ZipEntry, "isLong" | "isDescribedBehind" | "method">,
): void {
  record.writeUInt16LE(isLong ? VERSION_LONG : VERSION, at);
  record.writeUInt16LE(FLAG_UTF8 | (isDescribedBehind ? FLAG_DESCRIPTOR : 0), at + 2);
  record.writeUInt16LE(method, at + 4);
  record.writeUInt16LE(0, at + 6);
  record.writeUInt16LE(DATE, at + 8);
}

/** Numbers of 64 bits, in place of those that do not fit (4.5.3); nothing for none. */
function longExtra(numbers: readonly number[]): Buffer {
  if (numbers.length === 0) return Buffer.alloc(0);
  const extra = Buffer.alloc(4 + 8 * numbers.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * numbers.length, 2);
  for (const [index, number] of numbers.entries()) extra.writeBigUInt64LE(BigInt(number), 4 + 8 * index);
  return extra;
}
