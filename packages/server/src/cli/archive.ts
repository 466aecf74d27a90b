import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { link, lstat, rename, rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import type { TreeSource } from "@tvix/castore-archive";
import { print } from "./output.ts";

/** Forms in which a tree goes into a file. */
export const ARCHIVE_FORMATS = ["tar", "zip"] as const;

/** One of {@link ARCHIVE_FORMATS}. */
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];

/** How an archive is written. */
export interface WriteArchiveOptions {
  readonly format: ArchiveFormat;
  /** Whether a file that is there may be replaced. */
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
}

/**
 * Writes a tree as an archive to a file, which is there as a whole or not at all, or to stdout for `-`. Entries of a
 * directory are at the top of it.
 */
export async function writeArchive(
  root: Node,
  destination: string,
  services: TreeSource,
  { format, overwrite, signal }: WriteArchiveOptions,
): Promise<void> {
  const { checkArchivable, writeTar, writeZip } = await import("@tvix/castore-archive");
  const options = { signal, rootName: root.type === "directory" ? undefined : fileNameIn(destination) };
  await checkArchivable(root, services, options);
  if (destination !== "-" && !overwrite && (await lstat(destination).catch(() => undefined)) !== undefined) {
    throw new Error(`${destination} is there already`);
  }
  if (destination !== "-") await refuseSpecial(destination);
  const archive = (format === "tar" ? writeTar : writeZip)(root, services, options);
  if (destination === "-") {
    for await (const piece of archive) await print(piece);
  } else {
    await writeWhole(archive, destination, overwrite, signal);
  }
}

/** A file takes the place of a file, and not of what others write to or read from. */
async function refuseSpecial(destination: string): Promise<void> {
  const found = await stat(destination).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  throw new Error(`${destination} is no file, and is not replaced by one; - is standard output`);
}

async function writeWhole(
  contents: ByteStream,
  destination: string,
  overwrite: boolean,
  signal: AbortSignal,
): Promise<void> {
  const temporary = `${destination}.writing-${process.pid}`;
  const output = createWriteStream(temporary, { flags: "wx", flush: true });
  await once(output, "open");
  try {
    await pipeline(contents, output, { signal });
    if (overwrite) await rename(temporary, destination);
    else await linkNew(temporary, destination);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Gives a file a name that nothing has, not even a link that leads nowhere. */
async function linkNew(file: string, name: string): Promise<void> {
  try {
    await link(file, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw new Error(`${name} is there already`);
    throw error;
  }
}

/** The name of a file in an archive of it alone: that of the archive, without its end. */
function fileNameIn(destination: string): string {
  const name = basename(destination).replace(/\.(?:tar|zip)$/, "");
  return name === "" || name === "-" ? "file" : name;
}
